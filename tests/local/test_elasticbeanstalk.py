"""Elastic Beanstalk: option settings, saved configurations, and lists that hide what is denied."""

from typing import Any

import pytest

from local.aws.patches.elasticbeanstalk import PATCH
from local.aws.server import Aws
from local.fixtures import seed
from tests.local.answers import NOT_IMPLEMENTED, code_of
from tests.local.conftest import Unpatched

ARN = "arn:aws:iam::111122223333:server-certificate/web"
OTHER_ARN = f"{ARN}-2"


def set_certificate(arn: str) -> dict[str, str]:
    return {
        "Namespace": "aws:elbv2:listener:443",
        "OptionName": "SSLCertificateArns",
        "Value": arn,
    }


def read_certificates(aws: Aws, **which: str) -> list[str]:
    """Return the certificates in the option settings of one environment or saved configuration."""
    [configuration] = aws.client("elasticbeanstalk").describe_configuration_settings(**which)[
        "ConfigurationSettings"
    ]
    assert which.items() <= configuration.items()
    return [
        option["Value"]
        for option in configuration["OptionSettings"]
        if option["OptionName"] in ("SSLCertificateArns", "SSLCertificateId")
    ]


def list_environments(aws: Aws, **params: Any) -> list[str]:
    listed = aws.client("elasticbeanstalk").describe_environments(**params)
    return [one["EnvironmentName"] for one in listed["Environments"]]


def list_applications(aws: Aws, **params: Any) -> dict[str, list[str]]:
    listed = aws.client("elasticbeanstalk").describe_applications(**params)
    return {
        one["ApplicationName"]: one.get("ConfigurationTemplates", [])
        for one in listed["Applications"]
    }


def create_two(aws: Aws) -> None:
    """Create two applications with an environment each."""
    client = aws.client("elasticbeanstalk")
    for name in ("shop", "blog"):
        client.create_application(ApplicationName=name)
        client.create_environment(ApplicationName=name, EnvironmentName=f"{name}-live")


class TestOptionSettings:
    """Where the certificates stand."""

    @pytest.mark.parametrize("kind", ["application", "classic"])
    def test_an_environment_has_option_settings(self, aws: Aws, kind: Any) -> None:
        """The certificate that an environment was created with is in its settings."""
        seed.create_environment(aws.client, "shop", "shop-live", ARN, kind=kind)
        found = read_certificates(aws, ApplicationName="shop", EnvironmentName="shop-live")
        assert found == [ARN]

    @pytest.mark.parametrize("kind", ["application", "classic"])
    def test_a_saved_configuration_has_option_settings(self, aws: Aws, kind: Any) -> None:
        """The certificate of a saved configuration is in its settings."""
        seed.create_saved_configuration(aws.client, "shop", "last-year", ARN, kind=kind)
        found = read_certificates(aws, ApplicationName="shop", TemplateName="last-year")
        assert found == [ARN]

    def test_an_environment_takes_over_what_its_template_says(self, aws: Aws) -> None:
        """Settings of the template hold where the environment has none of its own."""
        seed.create_saved_configuration(aws.client, "shop", "base", ARN)
        create = aws.client("elasticbeanstalk").create_environment
        create(ApplicationName="shop", EnvironmentName="inherits", TemplateName="base")
        create(
            ApplicationName="shop",
            EnvironmentName="differs",
            TemplateName="base",
            OptionSettings=[set_certificate(OTHER_ARN)],
        )
        found = [
            read_certificates(aws, ApplicationName="shop", EnvironmentName=name)
            for name in ("inherits", "differs")
        ]
        assert found == [[ARN], [OTHER_ARN]]

    @pytest.mark.parametrize(
        "which",
        [
            {"ApplicationName": "none", "EnvironmentName": "shop-live"},
            {"ApplicationName": "shop", "EnvironmentName": "none"},
            {"ApplicationName": "shop", "TemplateName": "none"},
        ],
    )
    def test_what_does_not_exist_is_an_error(self, aws: Aws, which: dict[str, str]) -> None:
        """Settings of something that is not there are an error, not an empty list."""
        seed.create_environment(aws.client, "shop", "shop-live")
        describe = aws.client("elasticbeanstalk").describe_configuration_settings
        assert code_of(describe, **which) == "InvalidParameterValue"

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("describe_configuration_settings", {"EnvironmentName": "shop-live"}),
            ("create_configuration_template", {"TemplateName": "base"}),
            ("delete_configuration_template", {"TemplateName": "base"}),
        ],
    )
    def test_moto_has_no_settings_and_no_saved_configurations(
        self, aws: Aws, unpatched: Unpatched, method: str, params: dict[str, str]
    ) -> None:
        """Without the patch the operations are missing."""
        call = getattr(aws.client("elasticbeanstalk"), method)
        with unpatched(PATCH):
            seed.create_environment(aws.client, "shop", "shop-live")
            assert code_of(call, ApplicationName="shop", **params) == NOT_IMPLEMENTED


class TestLists:
    """Filters and pages."""

    def test_saved_configurations_are_listed_with_their_application(self, aws: Aws) -> None:
        """DescribeApplications names each saved configuration until it is deleted."""
        for template in ("one", "two"):
            seed.create_saved_configuration(aws.client, "shop", template)
        assert list_applications(aws) == {"shop": ["one", "two"]}
        aws.client("elasticbeanstalk").delete_configuration_template(
            ApplicationName="shop", TemplateName="one"
        )
        assert list_applications(aws) == {"shop": ["two"]}

    def test_applications_are_filtered_by_name(self, aws: Aws, unpatched: Unpatched) -> None:
        """Only the applications asked for are answered."""
        create_two(aws)
        assert list_applications(aws, ApplicationNames=["shop"]) == {"shop": []}
        with unpatched(PATCH):
            create_two(aws)
            assert list_applications(aws, ApplicationNames=["shop"]).keys() == {"shop", "blog"}

    @pytest.mark.parametrize(
        "params", [{"ApplicationName": "shop"}, {"EnvironmentNames": ["shop-live"]}]
    )
    def test_environments_are_filtered(
        self, aws: Aws, unpatched: Unpatched, params: dict[str, Any]
    ) -> None:
        """Only the environments asked for are answered."""
        create_two(aws)
        assert list_environments(aws, **params) == ["shop-live"]
        with unpatched(PATCH):
            create_two(aws)
            assert list_environments(aws, **params) == ["shop-live", "blog-live"]

    def test_environments_come_in_pages(self, aws: Aws, unpatched: Unpatched) -> None:
        """MaxRecords cuts the list, and a token leads on."""
        describe = aws.client("elasticbeanstalk").describe_environments
        create_two(aws)
        first = describe(MaxRecords=1)
        last = describe(MaxRecords=1, NextToken=first["NextToken"])
        names = [one["EnvironmentName"] for one in (*first["Environments"], *last["Environments"])]
        assert names == ["shop-live", "blog-live"]
        assert "NextToken" not in last
        with unpatched(PATCH):
            create_two(aws)
            moto = describe(MaxRecords=1)
            assert (len(moto["Environments"]), moto.get("NextToken")) == (2, None)

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("create_environment", {"EnvironmentName": "shop-live"}),
            ("create_configuration_template", {"TemplateName": "base"}),
        ],
    )
    def test_names_are_taken_once(self, aws: Aws, method: str, params: dict[str, str]) -> None:
        """A name that exists is refused."""
        seed.create_environment(aws.client, "shop", "shop-live")
        seed.create_saved_configuration(aws.client, "shop", "base")
        call = getattr(aws.client("elasticbeanstalk"), method)
        assert code_of(call, ApplicationName="shop", **params) == "InvalidParameterValue"


class TestTermination:
    """Environments that are gone are still listed for a while."""

    def test_a_terminated_environment_is_listed_unless_left_out(self, aws: Aws) -> None:
        """It says that it is Terminated, and its settings cannot be read any more."""
        client = aws.client("elasticbeanstalk")
        create_two(aws)
        client.terminate_environment(EnvironmentName="shop-live")
        statuses = {
            one["EnvironmentName"]: one["Status"]
            for one in client.describe_environments()["Environments"]
        }
        assert statuses["shop-live"] == "Terminated" != statuses["blog-live"]
        assert list_environments(aws, IncludeDeleted=False) == ["blog-live"]
        settings = code_of(
            client.describe_configuration_settings,
            ApplicationName="shop",
            EnvironmentName="shop-live",
        )
        assert settings == "InvalidParameterValue"

    def test_what_is_gone_cannot_be_terminated(self, aws: Aws) -> None:
        """An environment is terminated once."""
        client = aws.client("elasticbeanstalk")
        create_two(aws)
        client.terminate_environment(EnvironmentName="shop-live")
        again = code_of(client.terminate_environment, EnvironmentName="shop-live")
        assert again == "InvalidParameterValue"

    def test_moto_cannot_terminate(self, aws: Aws, unpatched: Unpatched) -> None:
        """Without the patch the operation is missing."""
        terminate = aws.client("elasticbeanstalk").terminate_environment
        with unpatched(PATCH):
            create_two(aws)
            assert code_of(terminate, EnvironmentName="shop-live") == NOT_IMPLEMENTED


class TestDenied:
    """A missing permission is an empty list, not an error."""

    @pytest.mark.parametrize(
        ("operation", "method", "params", "member"),
        [
            ("DescribeApplications", "describe_applications", {}, "Applications"),
            ("DescribeEnvironments", "describe_environments", {}, "Environments"),
            (
                "DescribeConfigurationSettings",
                "describe_configuration_settings",
                {"ApplicationName": "shop", "EnvironmentName": "shop-live"},
                "ConfigurationSettings",
            ),
        ],
    )
    def test_a_denied_read_is_empty(
        self, aws: Aws, operation: str, method: str, params: dict[str, str], member: str
    ) -> None:
        """What may not be read is not there, while other reads answer as ever."""
        seed.create_environment(aws.client, "shop", "shop-live", ARN)
        call = getattr(aws.client("elasticbeanstalk"), method)
        assert len(call(**params)[member]) == 1
        aws.knobs.beanstalk_denied = frozenset({operation})
        assert call(**params)[member] == []
        others = {"DescribeApplications", "DescribeEnvironments"} - {operation}
        answers = {
            "DescribeApplications": list_applications,
            "DescribeEnvironments": list_environments,
        }
        assert all(answers[other](aws) for other in others)

    def test_moto_cannot_play_it(self, aws: Aws, unpatched: Unpatched) -> None:
        """Without the patch every read answers, whatever is denied."""
        with unpatched(PATCH):
            create_two(aws)
            aws.knobs.beanstalk_denied = frozenset({"DescribeEnvironments"})
            assert list_environments(aws) == ["shop-live", "blog-live"]


def test_regions_are_apart(aws: Aws) -> None:
    """An environment of one Region, and its settings, are in no other."""
    seed.create_environment(aws.client, "shop", "shop-live", ARN, region="eu-west-1")
    assert list_environments(aws) == []
    assert list_applications(aws) == {}
