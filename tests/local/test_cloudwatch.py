"""CloudWatch: alarms with tags, in pages, and metrics of one's own."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.aws.patches import cloudwatch
from local.aws.server import Aws
from tests.local.answers import code_of, message_of
from tests.local.conftest import Unpatched

NAME = "acm-imported-api-example-com-expiry-0a1b2c3d"
TOPIC = "arn:aws:sns:us-east-1:111122223333:pagerduty-platform"
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/9f3a2b14"
OURS = {"iam26": "expiry-alarm"}
SETTINGS = {
    "AlarmDescription": 'Says <b>what</b> to do & where: "ä".',
    "Namespace": "AWS/CertificateManager",
    "MetricName": "DaysToExpiry",
    "Dimensions": [{"Name": "CertificateArn", "Value": CERTIFICATE}],
    "Statistic": "Minimum",
    "Period": 86400,
    "EvaluationPeriods": 1,
    "Threshold": 45.0,
    "ComparisonOperator": "LessThanOrEqualToThreshold",
    "TreatMissingData": "ignore",
    "AlarmActions": [TOPIC],
}


def put(aws: Aws, name: str = NAME, *, tags: dict[str, str] | None = None, **more: Any) -> None:
    aws.client("cloudwatch").put_metric_alarm(**parameters(name, tags=tags, **more))


def parameters(name: str = NAME, *, tags: dict[str, str] | None = None, **more: Any) -> Any:
    given = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    return {"AlarmName": name, **SETTINGS, **more, **({"Tags": given} if tags else {})}


def describe(aws: Aws, **params: Any) -> list[dict[str, Any]]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(**params)
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def list_names(aws: Aws, **params: Any) -> list[str]:
    return [alarm["AlarmName"] for alarm in describe(aws, **params)]


def read_tags(aws: Aws, name: str = NAME) -> dict[str, str]:
    arn = f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{name}"
    tags = aws.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def find_tagged(aws: Aws, tags: dict[str, str]) -> list[str]:
    pages = (
        aws.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            ResourceTypeFilters=["cloudwatch:alarm"],
            TagFilters=[{"Key": key, "Values": [value]} for key, value in tags.items()],
        )
    )
    return [one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]]


class TestPut:
    """What becomes of the parameters of an alarm."""

    def test_settings_come_back_as_they_were_put(self, aws: Aws) -> None:
        """Each field of an alarm is described as it was given."""
        put(aws)
        [alarm] = describe(aws)
        assert {name: alarm[name] for name in SETTINGS} == SETTINGS
        assert alarm["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{NAME}"
        assert alarm["ActionsEnabled"] is True

    def test_an_update_replaces_all_settings(self, aws: Aws) -> None:
        """What an update does not name is gone, and there is one alarm still."""
        put(aws)
        without = {name: value for name, value in SETTINGS.items() if name != "AlarmDescription"}
        aws.client("cloudwatch").put_metric_alarm(AlarmName=NAME, **(without | {"Threshold": 30}))
        [alarm] = describe(aws)
        assert alarm["Threshold"] == 30
        assert "AlarmDescription" not in alarm

    def test_a_new_alarm_has_not_seen_data_and_an_update_leaves_its_state(
        self, aws: Aws, unpatched: Unpatched
    ) -> None:
        """Creation knows nothing of the metric yet; new settings do not reset what is known."""

        def read_states() -> tuple[str, str]:
            put(aws)
            [before] = describe(aws)
            aws.client("cloudwatch").set_alarm_state(
                AlarmName=NAME, StateValue="ALARM", StateReason="44 days"
            )
            put(aws, Threshold=30)
            [after] = describe(aws)
            return before["StateValue"], after["StateValue"]

        assert read_states() == ("INSUFFICIENT_DATA", "ALARM")
        with unpatched(cloudwatch.PATCH):
            assert read_states() == ("OK", "OK")

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"AlarmName": "a" * 256}, "less than or equal to 255"),
            ({"AlarmDescription": "a" * 1025}, "less than or equal to 1024"),
            ({"AlarmActions": [TOPIC] * 6}, "less than or equal to 5"),
            ({"Statistic": "Least"}, "enum value set: [SampleCount, Average, Sum"),
            ({"TreatMissingData": "forget"}, "Option forget is not supported"),
            (
                {"AlarmActions": ["arn:aws:sns:eu-west-1:111122223333:topic"]},
                "Invalid region eu-west-1 specified. Only us-east-1 is supported",
            ),
        ],
    )
    def test_what_cloudwatch_does_not_take_is_refused(
        self, aws: Aws, unpatched: Unpatched, more: dict[str, Any], why: str
    ) -> None:
        """A refusal says what is wrong, and makes no alarm."""
        call = aws.client("cloudwatch").put_metric_alarm
        assert code_of(call, **(parameters() | more)) == "ValidationError"
        assert why in message_of(call, **(parameters() | more))
        assert describe(aws) == []
        with unpatched(cloudwatch.PATCH):
            assert code_of(call, **(parameters() | more)) == "OK"

    def test_a_name_and_a_description_may_be_as_long_as_the_limit(self, aws: Aws) -> None:
        """255 and 1,024 characters are not too many."""
        put(aws, "a" * 255, AlarmDescription="ä" * 1024)
        assert list_names(aws) == ["a" * 255]


class TestTags:
    """Tags say whose an alarm is."""

    def test_tags_are_those_of_the_creation(self, aws: Aws, unpatched: Unpatched) -> None:
        """An update changes no tags, whatever it says."""

        def put_twice() -> dict[str, str]:
            put(aws, tags=OURS)
            put(aws, tags={"iam26": "other", "more": "tags"})
            return read_tags(aws)

        assert put_twice() == OURS
        with unpatched(cloudwatch.PATCH):
            assert put_twice() == {"iam26": "other", "more": "tags"}

    def test_an_update_adds_no_tags_to_an_alarm_without(self, aws: Aws) -> None:
        """Somebody's own alarm of the name does not become ours."""
        put(aws)
        put(aws, tags=OURS)
        assert read_tags(aws) == {}

    def test_tags_go_with_the_alarm(self, aws: Aws, unpatched: Unpatched) -> None:
        """The next alarm of the name has its own tags alone."""

        def make_again() -> dict[str, str]:
            put(aws, tags={"old": "one"})
            aws.client("cloudwatch").delete_alarms(AlarmNames=[NAME])
            put(aws, tags=OURS)
            return read_tags(aws)

        assert make_again() == OURS
        with unpatched(cloudwatch.PATCH):
            assert make_again() == {"old": "one"} | OURS

    def test_tags_can_be_changed_by_their_own_calls(self, aws: Aws) -> None:
        """TagResource and UntagResource do what an update does not."""
        put(aws, tags=OURS)
        [alarm] = describe(aws)
        client = aws.client("cloudwatch")
        client.tag_resource(ResourceARN=alarm["AlarmArn"], Tags=[{"Key": "a", "Value": "b"}])
        client.untag_resource(ResourceARN=alarm["AlarmArn"], TagKeys=["iam26"])
        assert read_tags(aws) == {"a": "b"}

    def test_an_alarm_that_does_not_exist_has_no_list_of_tags(
        self, aws: Aws, unpatched: Unpatched
    ) -> None:
        """It is an error to ask for the tags of what is not there."""
        call = aws.client("cloudwatch").list_tags_for_resource
        arn = f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{NAME}"
        assert code_of(call, ResourceARN=arn) == "ResourceNotFoundException"
        with unpatched(cloudwatch.PATCH):
            assert code_of(call, ResourceARN=arn) == "OK"

    def test_alarms_are_found_by_their_tag(self, aws: Aws) -> None:
        """The tagging API gives the alarms of a tag's value, over pages, and no others."""
        for number in range(60):
            put(aws, f"ours-{number:03}", tags=OURS)
        put(aws, "ours-but-not-tagged")
        put(aws, "ours-otherwise", tags={"iam26": "other"})
        aws.client("cloudwatch").delete_alarms(AlarmNames=["ours-007"])
        names = {arn.rpartition(":")[2] for arn in find_tagged(aws, OURS)}
        assert names == {f"ours-{number:03}" for number in range(60)} - {"ours-007"}

    def test_pages_of_tagged_alarms_survive_a_change(self, aws: Aws, unpatched: Unpatched) -> None:
        """Who lists while somebody else makes an alarm gets a list."""

        def list_during_a_change() -> int:
            for number in range(55):
                put(aws, f"ours-{number:03}", tags=OURS)
            client = aws.client("resourcegroupstaggingapi")
            first = client.get_resources(ResourceTypeFilters=["cloudwatch:alarm"])
            put(aws, "late", tags=OURS)
            last = client.get_resources(PaginationToken=first["PaginationToken"])
            return sum(len(page["ResourceTagMappingList"]) for page in (first, last))

        assert list_during_a_change() == 55
        with unpatched(cloudwatch.PATCH), pytest.raises(RuntimeError, match="changed size"):
            list_during_a_change()


class TestDescribe:
    """Filters and pages."""

    def test_a_page_has_50_alarms_or_as_many_as_asked_for(
        self, aws: Aws, unpatched: Unpatched
    ) -> None:
        """A list of 110 takes three pages, or two of a hundred."""

        def put_many() -> None:
            for number in range(110):
                put(aws, f"alarm-{number:03}")

        def count_on_pages(**params: Any) -> list[int]:
            pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(**params)
            return [len(page["MetricAlarms"]) for page in pages]

        put_many()
        assert count_on_pages() == [50, 50, 10]
        assert count_on_pages(MaxRecords=100) == [100, 10]
        assert len(set(list_names(aws))) == 110
        with unpatched(cloudwatch.PATCH):
            put_many()
            assert count_on_pages() == [110]

    def test_a_deletion_between_two_pages_skips_nothing(self, aws: Aws) -> None:
        """The token leads to what follows, whatever is deleted meanwhile."""
        for name in "abcd":
            put(aws, name)
        client = aws.client("cloudwatch")
        first = client.describe_alarms(MaxRecords=2)
        client.delete_alarms(AlarmNames=["a", "b"])
        last = client.describe_alarms(MaxRecords=2, NextToken=first["NextToken"])
        assert [alarm["AlarmName"] for alarm in last["MetricAlarms"]] == ["c", "d"]
        assert "NextToken" not in last

    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({}, ["acm-a", "acm-b", "iam-a", "other"]),
            ({"AlarmNamePrefix": "acm-"}, ["acm-a", "acm-b"]),
            ({"AlarmNames": ["iam-a", "none"]}, ["iam-a"]),
            ({"AlarmNames": []}, ["acm-a", "acm-b", "iam-a", "other"]),
            ({"StateValue": "ALARM"}, ["acm-b"]),
            ({"AlarmNamePrefix": "acm-", "StateValue": "INSUFFICIENT_DATA"}, ["acm-a"]),
            ({"ActionPrefix": f"{TOPIC}-2"}, ["other"]),
        ],
    )
    def test_filters_narrow_the_list(
        self, aws: Aws, params: dict[str, Any], expected: list[str]
    ) -> None:
        """Names, a prefix, a state and an action, also together."""
        for name in ("acm-a", "acm-b", "iam-a"):
            put(aws, name)
        put(aws, "other", AlarmActions=[f"{TOPIC}-2"])
        aws.client("cloudwatch").set_alarm_state(
            AlarmName="acm-b", StateValue="ALARM", StateReason="44 days"
        )
        assert list_names(aws, **params) == expected

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"MaxRecords": 101}, "ValidationError"),
            ({"AlarmNames": [f"{number}" for number in range(101)]}, "ValidationError"),
            ({"AlarmNames": ["a"], "AlarmNamePrefix": "a"}, "InvalidParameterCombination"),
        ],
    )
    def test_what_cannot_be_asked_is_refused(
        self, aws: Aws, unpatched: Unpatched, params: dict[str, Any], code: str
    ) -> None:
        """More than 100 at once, or two ways to name alarms, are errors."""
        call = aws.client("cloudwatch").describe_alarms
        assert code_of(call, **params) == code
        with unpatched(cloudwatch.PATCH):
            assert code_of(call, **params) == "OK"

    def test_alarms_belong_to_their_region(self, aws: Aws) -> None:
        """An alarm of one Region is not described in another."""
        aws.client("cloudwatch", region="eu-west-1").put_metric_alarm(**parameters(AlarmActions=[]))
        assert describe(aws) == []


class TestDelete:
    """Up to a hundred alarms go at once."""

    def test_a_name_that_no_alarm_has_is_passed_over(self, aws: Aws) -> None:
        """The alarms that exist are deleted, without an error for the others."""
        put(aws, "a")
        put(aws, "b")
        delete = aws.client("cloudwatch").delete_alarms
        assert code_of(delete, AlarmNames=["none", "a"]) == "OK"
        assert list_names(aws) == ["b"]

    def test_more_than_a_hundred_are_refused(self, aws: Aws, unpatched: Unpatched) -> None:
        """A call with 101 names deletes nothing; one with 100 does."""
        names = [f"alarm-{number:03}" for number in range(101)]
        for name in names:
            put(aws, name)
        delete = aws.client("cloudwatch").delete_alarms
        assert code_of(delete, AlarmNames=names) == "ValidationError"
        assert list_names(aws) == names
        assert code_of(delete, AlarmNames=names[:100]) == "OK"
        assert list_names(aws) == names[100:]
        with unpatched(cloudwatch.PATCH):
            assert code_of(delete, AlarmNames=names) == "OK"


def test_two_writers_at_once_make_each_alarm_once(aws: Aws) -> None:
    """The same names put from two threads are one alarm each, with the tags of its creation."""
    names = [f"alarm-{number:03}" for number in range(30)]
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda name: put(aws, name, tags=OURS), [*names, *names]):
            pass
    assert list_names(aws) == names
    assert len(find_tagged(aws, OURS)) == 30


class TestMetrics:
    """Metrics of one's own."""

    def make_datum(self, certificate: str, days: float) -> dict[str, Any]:
        """Return a value of DaysToExpiry, as PutMetricData takes it."""
        return {
            "MetricName": "DaysToExpiry",
            "Dimensions": [{"Name": "CertificateArn", "Value": certificate}],
            "Value": days,
        }

    def test_values_come_back_by_their_dimension(self, aws: Aws) -> None:
        """Statistics are those of one certificate, though a call had many, and was compressed."""
        client = aws.client("cloudwatch")
        data = [self.make_datum(f"{CERTIFICATE}-{number}", number) for number in range(-5, 245)]
        client.put_metric_data(Namespace="IAM26Remediation", MetricData=data)
        now = datetime.now(UTC)
        for number in (-5, 0, 44.0):
            [point] = client.get_metric_statistics(
                Namespace="IAM26Remediation",
                MetricName="DaysToExpiry",
                Dimensions=[{"Name": "CertificateArn", "Value": f"{CERTIFICATE}-{number:.0f}"}],
                StartTime=now - timedelta(hours=1),
                EndTime=now + timedelta(hours=1),
                Period=86400,
                Statistics=["Minimum"],
            )["Datapoints"]
            assert point["Minimum"] == number

    def test_more_than_a_thousand_metrics_are_refused(self, aws: Aws, unpatched: Unpatched) -> None:
        """A call with 1,001 metrics is an error."""
        call = aws.client("cloudwatch").put_metric_data
        data = [self.make_datum(CERTIFICATE, 1)] * 1001
        params = {"Namespace": "IAM26Remediation", "MetricData": data}
        assert code_of(call, **params) == "InvalidParameterValue"
        assert code_of(call, **(params | {"MetricData": data[1:]})) == "OK"
        with unpatched(cloudwatch.PATCH):
            assert code_of(call, **params) == "OK"
