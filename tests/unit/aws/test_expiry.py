"""ACM and CloudWatch as the SDK really parses them: nothing incomplete is taken for an answer."""

from typing import Any

import pytest

from handlers.aws.acm import AcmCertificates
from handlers.aws.alarms import Alarms
from models.errors import AwsCallError, TransientError
from models.expiry import Alarm, Kind, Watched, compose_alarm, watch_acm
from models.settings import Scope
from tests.builders import NOW, make_arn
from tests.fakes_expiry import make_acm, make_acm_arn, make_settings
from tests.unit.aws.scripted import Answer, Refusal, ScriptedAws

SUMMARY = {
    "CertificateArn": make_acm_arn(1),
    "DomainName": "api.example.com",
    "Type": "IMPORTED",
    "Status": "ISSUED",
}
LAST_PAGE = {"CertificateSummaryList": [SUMMARY | {"CertificateArn": make_acm_arn(2)}]}
ARN = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:acm-imported-a-expiry-00000000"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def make_alarm() -> Alarm:
    [watched] = watch_acm([make_acm()], Scope.IMPORTED)
    return compose_alarm(watched, make_settings())


def describe(alarm: Alarm, **changes: Any) -> dict[str, Any]:
    """Return an alarm as DescribeAlarms answers it."""
    fields = alarm.model_dump(by_alias=True, exclude_none=True, mode="json")
    return fields | {"AlarmArn": ARN, "StateValue": "OK"} | changes


class TestAcm:
    """What ACM lists."""

    def test_every_page_and_every_key_type_is_read(self) -> None:
        """Keys that ACM leaves out unless they are named are named."""
        first = {"CertificateSummaryList": [SUMMARY], "NextToken": "more"}
        aws = ScriptedAws({"ListCertificates": [first, LAST_PAGE]})

        listed = AcmCertificates(aws.make_clients()).list_all()

        assert [one.arn for one in listed] == [make_acm_arn(1), make_acm_arn(2)]
        assert listed[0].domain == "api.example.com"
        assert {"RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"} <= set(
            aws.parameters[0]["Includes"]["keyTypes"]
        )
        assert aws.parameters[1]["NextToken"] == "more"

    @pytest.mark.parametrize(
        "page",
        [
            {},
            {"CertificateSummaryList": [{}]},
            {"CertificateSummaryList": [{"DomainName": "api.example.com"}]},
            {"CertificateSummaryList": [{**SUMMARY, "Type": ""}]},
            {"CertificateSummaryList": [SUMMARY, {**SUMMARY, "CertificateArn": ""}]},
        ],
        ids=["no list", "empty item", "no ARN", "no type", "second item"],
    )
    def test_an_incomplete_page_is_an_error(self, page: Answer) -> None:
        """A list that may lack certificates would remove their alarms."""
        aws = ScriptedAws({"ListCertificates": page})

        with pytest.raises(AwsCallError, match="ListCertificates"):
            AcmCertificates(aws.make_clients()).list_all()

    def test_a_page_without_certificates_is_not_the_last(self) -> None:
        """A page may be empty, and there is more where it says so."""
        empty = {"CertificateSummaryList": [], "NextToken": "more"}
        aws = ScriptedAws({"ListCertificates": [empty, empty | {"NextToken": "yet"}, LAST_PAGE]})

        assert len(AcmCertificates(aws.make_clients()).list_all()) == 1

    def test_a_list_that_goes_round_in_circles_is_an_error(self) -> None:
        """The same place for the next page again is no end."""
        again = {"CertificateSummaryList": [SUMMARY], "NextToken": "more"}
        aws = ScriptedAws({"ListCertificates": again})

        with pytest.raises(AwsCallError, match="ListCertificates"):
            AcmCertificates(aws.make_clients()).list_all()

    def test_an_incomplete_second_page_is_an_error(self) -> None:
        """What was read until then is not taken for all."""
        first = {"CertificateSummaryList": [SUMMARY], "NextToken": "more"}
        aws = ScriptedAws({"ListCertificates": [first, {}]})

        with pytest.raises(AwsCallError, match="CertificateSummaryList"):
            AcmCertificates(aws.make_clients()).list_all()


class TestAlarms:
    """What CloudWatch has, and is told."""

    def test_what_was_put_is_read_as_the_same(self) -> None:
        """An alarm that nobody changed is equal to what it should be."""
        alarm = make_alarm()
        answer = {"MetricAlarms": [describe(alarm, DatapointsToAlarm=1)], "CompositeAlarms": []}
        aws = ScriptedAws({"DescribeAlarms": answer})

        [stored] = Alarms(aws.make_clients()).list_named(["acm-imported-"])

        assert stored == (ARN, alarm)

    def test_every_page_of_every_prefix_is_read(self) -> None:
        """Alarms of each beginning are listed to the last page."""
        alarm = make_alarm()
        more = {"MetricAlarms": [describe(alarm)], "NextToken": "more"}
        last = {"MetricAlarms": [describe(alarm)]}
        aws = ScriptedAws({"DescribeAlarms": [more, last, last]})

        listed = Alarms(aws.make_clients()).list_named(["acm-imported-", "iam-"])

        assert len(listed) == 3
        assert [one["AlarmNamePrefix"] for one in aws.parameters] == [
            "acm-imported-",
            "acm-imported-",
            "iam-",
        ]
        assert [one["MaxRecords"] for one in aws.parameters] == [100, 100, 100]

    def test_alarms_of_other_types_are_not_looked_at(self) -> None:
        """An alarm composed of others, or on a log, is none of ours, whatever it is called."""
        name = make_alarm().name
        others = {"CompositeAlarms": [{"AlarmName": name}], "LogAlarms": [{"AlarmName": name}]}
        aws = ScriptedAws({"DescribeAlarms": {"MetricAlarms": [], **others}})

        assert Alarms(aws.make_clients()).list_named(["acm-imported-"]) == ()
        assert aws.parameters[0]["AlarmTypes"] == ["MetricAlarm"]

    def test_an_alarm_on_an_expression_can_be_read(self) -> None:
        """What an alarm of another kind lacks makes it different, not an error."""
        answer = {"MetricAlarms": [{"AlarmName": make_alarm().name, "AlarmArn": ARN}]}
        aws = ScriptedAws({"DescribeAlarms": answer})

        [stored] = Alarms(aws.make_clients()).list_named(["acm-imported-"])

        assert stored.alarm != make_alarm()

    @pytest.mark.parametrize(
        "page", [{}, {"MetricAlarms": [{}]}, {"MetricAlarms": [{"AlarmName": "a"}]}]
    )
    def test_an_incomplete_page_is_an_error(self, page: Answer) -> None:
        """An alarm that was not seen would be taken for missing."""
        aws = ScriptedAws({"DescribeAlarms": page})

        with pytest.raises(AwsCallError, match="DescribeAlarms"):
            Alarms(aws.make_clients()).list_named(["acm-imported-"])

    def test_tags(self) -> None:
        """The tags of an alarm are read by its ARN."""
        aws = ScriptedAws({"ListTagsForResource": {"Tags": [{"Key": "iam26", "Value": "x"}]}})

        assert Alarms(aws.make_clients()).read_tags(ARN) == {"iam26": "x"}
        assert aws.parameters == [{"ResourceARN": ARN}]

    def test_tags_of_what_is_gone(self) -> None:
        """An alarm that another run removed has none, and is no error."""
        gone = Refusal("ResourceNotFoundException", status=404)
        aws = ScriptedAws({"ListTagsForResource": gone})

        assert Alarms(aws.make_clients()).read_tags(ARN) is None

    def test_an_answer_without_tags_is_an_error(self) -> None:
        """A list that is absent does not say that an alarm has none."""
        aws = ScriptedAws({"ListTagsForResource": {}})

        with pytest.raises(AwsCallError, match="Tags"):
            Alarms(aws.make_clients()).read_tags(ARN)

    def test_an_alarm_is_put_with_our_tag(self) -> None:
        """CloudWatch is told every field, and the tag that says whose alarm it is."""
        aws = ScriptedAws({"PutMetricAlarm": {}})
        alarm = make_alarm()

        Alarms(aws.make_clients()).put(alarm)

        [parameters] = aws.parameters
        assert parameters.pop("Tags") == [{"Key": "iam26", "Value": "expiry-alarm"}]
        assert Alarm.model_validate(parameters) == alarm

    def test_alarms_are_deleted_by_the_hundred(self) -> None:
        """A call names as many as CloudWatch takes, and what is gone already is no error."""
        aws = ScriptedAws({"DeleteAlarms": [Refusal("ResourceNotFound", status=404), {}, {}]})

        Alarms(aws.make_clients()).delete([str(number) for number in range(250)])

        assert [len(one["AlarmNames"]) for one in aws.parameters] == [100, 100, 50]

    def test_days_are_published_by_the_thousand(self) -> None:
        """Each certificate has a value by its ARN in the namespace of the application."""
        days = {make_arn(f"web-{number}"): number for number in range(1001)}
        aws = ScriptedAws({"PutMetricData": {}})

        Alarms(aws.make_clients()).publish_days(days, NOW)

        first, second = aws.parameters
        assert len(first["MetricData"]) == 1000
        assert first["MetricData"][7] == {
            "MetricName": "DaysToExpiry",
            "Dimensions": [{"Name": "CertificateArn", "Value": make_arn("web-7")}],
            "Timestamp": NOW,
            "Value": 7,
        }
        assert second["Namespace"] == "IAM26Remediation"

    def test_nothing_to_write_calls_nothing(self) -> None:
        """A run that changes nothing makes no call that writes."""
        aws = ScriptedAws({})
        alarms = Alarms(aws.make_clients())

        alarms.delete([])
        alarms.publish_days({}, NOW)

        assert aws.calls == []

    @pytest.mark.parametrize(
        ("refusal", "error"),
        [
            (Refusal("Throttling"), TransientError),
            (Refusal("InternalServiceFault", status=500), TransientError),
            (Refusal("AccessDenied", status=403), AwsCallError),
        ],
        ids=lambda one: one.code if isinstance(one, Refusal) else "",
    )
    def test_refusals_are_told_apart(self, refusal: Refusal, error: type[Exception]) -> None:
        """What a repetition may mend is transient, after the SDK's own; a denial is for good."""
        aws = ScriptedAws({"PutMetricAlarm": refusal})

        with pytest.raises(error, match="PutMetricAlarm"):
            Alarms(aws.make_clients()).put(make_alarm())

        assert len(aws.calls) == (12 if error is TransientError else 1)


def test_the_metric_and_its_alarm_name_the_certificate_alike() -> None:
    """What is published for a certificate of IAM is what its alarm looks at."""
    alarm = compose_alarm(Watched(Kind.IAM, make_arn(), "example-cert"), make_settings())
    aws = ScriptedAws({"PutMetricData": {}})
    Alarms(aws.make_clients()).publish_days({make_arn(): 3}, NOW)

    [sent] = aws.parameters
    [datum] = sent["MetricData"]
    assert sent["Namespace"] == alarm.namespace
    assert datum["MetricName"] == alarm.metric_name
    assert datum["Dimensions"] == [one.model_dump(by_alias=True) for one in alarm.dimensions]
    assert "Unit" not in datum
