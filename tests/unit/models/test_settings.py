"""Settings: what the environment may say, and what it says wrong."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import SettingsError
from models.settings import AutoRemediation, DeniedRegions, Mode, Settings, SweepSettings

VARIABLES = (
    "MODE",
    "GRACE_PERIOD_DAYS",
    "EXEMPT_TAG_KEY",
    "REGIONS",
    "DENIED_REGIONS",
    "ELB_CALLS_PER_SECOND",
    "MEMBER_ROLE_NAME",
    "ARCHIVE_BUCKET",
    "TOPIC_ARN",
)
TOPIC_ARN = "arn:aws:sns:us-east-1:111122223333:iam26"


def read(**variables: str) -> Settings:
    return Settings.from_environment(variables)


class TestDefaults:
    """An environment that sets nothing."""

    def test_nothing_is_deleted_unless_asked_for(self) -> None:
        """Without any variable the function runs dry, in every Region, in its own account."""
        assert read() == Settings(
            mode=Mode.DRY_RUN,
            grace_period_days=0,
            exempt_tag_key="iam26:keep",
            regions=(),
            denied_regions=DeniedRegions.UNVERIFIED,
            elb_calls_per_second=5,
            member_role_name=None,
            archive_bucket=None,
            topic_arn=None,
        )

    @pytest.mark.parametrize("variable", VARIABLES)
    @pytest.mark.parametrize("empty", ["", " ", "\n"])
    def test_empty_is_not_set(self, variable: str, empty: str) -> None:
        """A variable that is empty or blank counts as not set."""
        assert read(**{variable: empty}) == read()

    def test_other_variables_are_ignored(self) -> None:
        """Variables of others, and lower-case twins of ours, change nothing."""
        assert read(mode="Enforce", AWS_REGION="us-east-1", PATH="/bin") == read()


class TestValues:
    """Values that can be used."""

    def test_every_variable(self) -> None:
        """Each variable sets its own setting."""
        given_settings = read(
            MODE="Enforce",
            GRACE_PERIOD_DAYS="14",
            EXEMPT_TAG_KEY="keep me",
            REGIONS="us-east-1",
            DENIED_REGIONS="OutOfScope",
            ELB_CALLS_PER_SECOND="8",
            MEMBER_ROLE_NAME="iam26-member",
            ARCHIVE_BUCKET="iam26-archive",
            TOPIC_ARN=TOPIC_ARN,
        )
        assert given_settings == Settings(
            mode=Mode.ENFORCE,
            grace_period_days=14,
            exempt_tag_key="keep me",
            regions=("us-east-1",),
            denied_regions=DeniedRegions.OUT_OF_SCOPE,
            elb_calls_per_second=8,
            member_role_name="iam26-member",
            archive_bucket="iam26-archive",
            topic_arn=TOPIC_ARN,
        )
        assert given_settings.grace_period == timedelta(days=14)

    @pytest.mark.parametrize(
        ("text", "regions"),
        [
            ("us-east-1", ("us-east-1",)),
            ("us-east-1,eu-west-1", ("eu-west-1", "us-east-1")),
            (" us-east-1 , ,eu-west-1,us-east-1, ", ("eu-west-1", "us-east-1")),
            ("us-gov-west-1,us-iso-east-1", ("us-gov-west-1", "us-iso-east-1")),
            ("eusc-de-east-1,cn-north-1", ("cn-north-1", "eusc-de-east-1")),
            (",", ()),
        ],
    )
    def test_regions(self, text: str, regions: tuple[str, ...]) -> None:
        """Regions are separated by commas; spaces, repetitions and empty parts do not matter."""
        assert read(REGIONS=text).regions == regions

    @pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
    def test_topic_of_every_partition(self, partition: str) -> None:
        """A topic can be in any partition."""
        arn = TOPIC_ARN.replace(":aws:", f":{partition}:")
        assert read(TOPIC_ARN=arn).topic_arn == arn


class TestWrongValues:
    """Values that cannot be used."""

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("MODE", "enforce"),
            ("MODE", "Delete"),
            ("GRACE_PERIOD_DAYS", "-1"),
            ("GRACE_PERIOD_DAYS", "3651"),
            ("GRACE_PERIOD_DAYS", "1.5"),
            ("GRACE_PERIOD_DAYS", "two weeks"),
            ("GRACE_PERIOD_DAYS", "NaN"),
            ("EXEMPT_TAG_KEY", "k" * 129),
            ("EXEMPT_TAG_KEY", " iam26:keep"),
            ("EXEMPT_TAG_KEY", "iam26:keep "),
            ("EXEMPT_TAG_KEY", "iam26\nkeep"),
            ("REGIONS", "us-east-1;eu-west-1"),
            ("REGIONS", "us-east-1,everywhere"),
            ("REGIONS", "US-EAST-1"),
            ("REGIONS", "us-east-\u0661"),
            ("REGIONS", "*"),
            ("DENIED_REGIONS", "outofscope"),
            ("MEMBER_ROLE_NAME", "arn:aws:iam::111122223333:role/iam26-member"),
            ("MEMBER_ROLE_NAME", "r" * 65),
            ("MEMBER_ROLE_NAME", "iam26-member\n"),
            ("ARCHIVE_BUCKET", "s3://iam26-archive"),
            ("ARCHIVE_BUCKET", "ab"),
            ("TOPIC_ARN", "iam26"),
            ("TOPIC_ARN", f"{TOPIC_ARN}\n"),
            ("TOPIC_ARN", "arn:aws:sqs:us-east-1:111122223333:iam26"),
        ],
    )
    def test_names_variable_and_value(self, variable: str, value: str) -> None:
        """A wrong value is one error of one line that names the variable and the value."""
        with pytest.raises(SettingsError) as caught:
            read(**{variable: value})
        message = str(caught.value)
        assert message.startswith(f"{variable}: ")
        assert repr(value)[:100] in message
        assert "\n" not in message

    def test_names_every_wrong_variable(self) -> None:
        """Several wrong values are one error that names each of them."""
        wrong = {
            "MODE": "On",
            "GRACE_PERIOD_DAYS": "soon",
            "EXEMPT_TAG_KEY": " keep" * 30,
            "REGIONS": "us",
            "DENIED_REGIONS": "no",
            "MEMBER_ROLE_NAME": "a b",
            "ARCHIVE_BUCKET": "S3",
            "TOPIC_ARN": "sns" * 100,
        }
        with pytest.raises(SettingsError) as caught:
            read(**wrong)
        assert all(f"{variable}: " in str(caught.value) for variable in wrong)

    def test_leaks_no_other_variable(self) -> None:
        """The error shows neither other variables nor their values, and has no cause that could."""
        secret = "wJalrXUtnFEMI"
        with pytest.raises(SettingsError) as caught:
            read(MODE="On", ARCHIVE_BUCKET="iam26-archive", AWS_SECRET_ACCESS_KEY=secret)
        assert secret not in str(caught.value)
        assert "AWS_SECRET" not in str(caught.value)
        assert "iam26-archive" not in str(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("bucket", [{}, {"ARCHIVE_BUCKET": ""}, {"ARCHIVE_BUCKET": "  "}])
    def test_no_delete_without_an_archive(self, bucket: dict[str, str]) -> None:
        """To enforce without an archive is an error that names the variable, and nothing else."""
        with pytest.raises(SettingsError) as caught:
            read(MODE="Enforce", TOPIC_ARN=TOPIC_ARN, **bucket)
        assert str(caught.value) == "ARCHIVE_BUCKET is needed when MODE is Enforce"

    def test_dry_run_needs_no_archive(self) -> None:
        """A dry run archives nothing, so it needs no bucket."""
        assert read(MODE="DryRun").archive_bucket is None

    @given(st.dictionaries(st.sampled_from(VARIABLES), st.text()))
    def test_any_environment_is_settings_or_a_settings_error(
        self, environment: dict[str, str]
    ) -> None:
        """Whatever the variables hold, there are settings or one SettingsError of one line."""
        message = ""
        try:
            given_settings = Settings.from_environment(environment)
        except SettingsError as error:
            message = str(error)
        else:
            assert given_settings.mode is Mode.DRY_RUN or given_settings.archive_bucket
        assert message.isprintable()


class TestSweep:
    """The settings of the sweep."""

    def test_every_variable(self) -> None:
        """Each variable sets its own setting."""
        url = "https://sqs.us-east-1.amazonaws.com/111122223333/queue"
        given_settings = SweepSettings.from_environment(
            {
                "QUEUE_URL": url,
                "MEMBER_ROLE_NAME": "iam26-member",
                "AUTO_REMEDIATION": "Disabled",
                "TOPIC_ARN": "arn:aws:sns:us-east-1:111122223333:topic",
                "SWEEP_SCHEDULE": "rate(12 hours)",
            }
        )
        assert given_settings == SweepSettings(
            queue_url=url,
            member_role_name="iam26-member",
            auto_remediation=AutoRemediation.DISABLED,
            topic_arn="arn:aws:sns:us-east-1:111122223333:topic",
            schedule="rate(12 hours)",
        )

    def test_defaults(self) -> None:
        """With the queue alone, it sweeps the own account each day and tells nobody."""
        given_settings = SweepSettings.from_environment({"QUEUE_URL": "https://queue"})
        assert given_settings.auto_remediation is AutoRemediation.ENABLED
        assert given_settings.member_role_name is None
        assert given_settings.topic_arn is None
        assert given_settings.period == timedelta(days=1)

    @pytest.mark.parametrize(
        ("schedule", "period"),
        [
            ("rate(1 day)", timedelta(days=1)),
            ("rate(2 days)", timedelta(days=2)),
            ("rate(1 hour)", timedelta(hours=1)),
            ("rate(12 hours)", timedelta(hours=12)),
            ("rate(30 minutes)", timedelta(minutes=30)),
            ("rate(99999 days)", timedelta(days=99999)),
            ("rate(100000 days)", timedelta(days=1)),
            ("rate(0 days)", timedelta(days=1)),
            ("rate(often)", timedelta(days=1)),
            ("cron(0 6 ? * MON *)", timedelta(days=1)),
        ],
    )
    def test_period(self, schedule: str, period: timedelta) -> None:
        """A rate says how long it is from sweep to sweep; of all else it is a day."""
        given_settings = SweepSettings.from_environment(
            {"QUEUE_URL": "https://queue", "SWEEP_SCHEDULE": schedule}
        )
        assert given_settings.period == period

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("AUTO_REMEDIATION", "disabled"),
            ("AUTO_REMEDIATION", "no"),
            ("TOPIC_ARN", "topic"),
            ("SWEEP_SCHEDULE", "1 day"),
        ],
    )
    def test_value_that_is_none(self, variable: str, value: str) -> None:
        """What is not understood is an error that names the variable."""
        with pytest.raises(SettingsError, match=f"^{variable}: "):
            SweepSettings.from_environment({"QUEUE_URL": "https://queue", variable: value})

    @pytest.mark.parametrize("value", ["", "queue", "sqs://queue", "https://a queue"])
    def test_queue_is_needed(self, value: str) -> None:
        """Without the URL of the queue there is nothing to sweep onto."""
        with pytest.raises(SettingsError, match=r"^QUEUE_URL: "):
            SweepSettings.from_environment({"QUEUE_URL": value})

    def test_settings_of_the_other_function_are_ignored(self) -> None:
        """Each function validates only what it reads."""
        url = "http://localhost:5026/111122223333/queue"
        swept = SweepSettings.from_environment({"QUEUE_URL": url, "MODE": "nonsense"})
        assert swept.member_role_name is None
