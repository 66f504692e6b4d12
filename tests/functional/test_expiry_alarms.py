"""The expiry alarms on the local AWS: 250 certificates, and whatever can go wrong on the way."""

import re
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from botocore.awsrequest import AWSResponse

from handlers.expiry.alarms import AlarmCounts
from handlers.expiry_alarms import handler
from local.aws import faults
from local.aws.patches.acm import CertificateType
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.certificates import KeyType
from local.fixtures.context import Context
from models.errors import AwsCallError, SettingsError, TransientError
from models.expiry import ForeignAlarmError, TooManyAlarmsError
from tests.fakes_expiry import OURS, TOPIC
from tests.functional.page_size import small_pages
from tests.functional.test_errors import HICCUPS

EVENT = {"source": "aws.acm", "detail-type": "ACM Certificate Available", "region": "eu-west-1"}
# What `aws cloudwatch put-metric-alarm` sets for one imported certificate, but for what names it.
REFERENCE = {
    "Namespace": "AWS/CertificateManager",
    "MetricName": "DaysToExpiry",
    "Statistic": "Minimum",
    "Period": 86400,
    "EvaluationPeriods": 1,
    "Threshold": 45.0,
    "ComparisonOperator": "LessThanOrEqualToThreshold",
    "TreatMissingData": "ignore",
    "ActionsEnabled": True,
    "AlarmActions": [TOPIC],
    "OKActions": [],
    "InsufficientDataActions": [],
}
# What would change what an alarm sees, or when it fires.
NEVER_SET = ("Unit", "ExtendedStatistic", "Metrics", "DatapointsToAlarm", "ThresholdMetricId")
OPERATIONS = {
    "ListCertificates": "acm",
    "ListServerCertificates": "iam",
    "DescribeAlarms": "cloudwatch",
    "ListTagsForResource": "cloudwatch",
    "PutMetricData": "cloudwatch",
    "PutMetricAlarm": "cloudwatch",
    "DeleteAlarms": "cloudwatch",
}
WRITES = {"PutMetricData", "PutMetricAlarm", "DeleteAlarms"}

Alarm = dict[str, Any]


@pytest.fixture(autouse=True)
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The function in us-east-1, with its defaults, whose client of CloudWatch does not pause."""
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)
    for name, value in {"AWS_REGION": "us-east-1", "TOPIC_ARN": TOPIC}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def run() -> AlarmCounts:
    """Invoke the function, and return its answer."""
    answer: AlarmCounts = handler(EVENT, Context())
    return answer


def counts(
    created: int = 0, corrected: int = 0, removed: int = 0, unchanged: int = 0
) -> AlarmCounts:
    return AlarmCounts(created=created, corrected=corrected, removed=removed, unchanged=unchanged)


def read_alarms(aws: Aws) -> list[Alarm]:
    """Return every alarm of the Region."""
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def find_alarm(aws: Aws, arn: str) -> Alarm:
    """Return the one alarm about a certificate."""
    [alarm] = [one for one in read_alarms(aws) if one["Dimensions"][0]["Value"] == arn]
    return alarm


def read_tags(aws: Aws, alarm: Alarm) -> dict[str, str]:
    answer = aws.client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])
    return {one["Key"]: one["Value"] for one in answer["Tags"]}


def list_watched(aws: Aws) -> list[str]:
    """Return the ARNs that alarms are about, sorted, each as often as it has one."""
    return sorted(alarm["Dimensions"][0]["Value"] for alarm in read_alarms(aws))


# The alarms follow the certificates


def plant_many(number: int) -> dict[str, tuple[CertificateType, str | None]]:
    """Plant certificates of every type of key, and return kind and domain of each by ARN.

    Some have no domain, a wildcard, one that others have too, or one as long as can be.
    """
    key_types: tuple[KeyType, ...] = get_args(KeyType)
    kinds: tuple[CertificateType, ...] = get_args(CertificateType)
    long = ".".join(["a" * 60] * 4)
    planted = {}
    for one in range(number):
        domain = (None, "*.example.com", "same.example.com", long, f"www-{one}.example.com")[
            min(one % 8, 4)
        ]
        kind = kinds[one % len(kinds)]
        arn = seed.plant_acm_certificate(domain, kind=kind, key_type=key_types[one % 7])
        planted[arn] = (kind, domain)
    return planted


def check_reference(alarm: Alarm, kind: CertificateType, domain: str | None) -> None:
    """Compare every field of an alarm with the reference command for its certificate."""
    [arn] = [one["Value"] for one in alarm["Dimensions"]]
    imported = kind == "IMPORTED"
    start = "acm-imported-" if imported else "acm-issued-"
    name = re.sub("[^A-Za-z0-9]", "-", domain or arn.rpartition("/")[2])

    assert re.fullmatch(
        f"{re.escape(start + name[:200])}.*-expiry-[0-9a-f]{{8}}", alarm["AlarmName"]
    )
    assert len(alarm["AlarmName"]) <= 255
    assert arn in alarm["AlarmDescription"]
    assert [one["Name"] for one in alarm["Dimensions"]] == ["CertificateArn"]
    expected = REFERENCE | {"Threshold": 45.0 if imported else 30.0}
    assert {field: alarm[field] for field in expected} == expected
    assert not any(alarm.get(one) for one in NEVER_SET)


def test_each_of_250_certificates_has_its_alarm(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """Whatever their keys and domains, all pages of them have one alarm each, as the reference."""
    environment.setenv("SCOPE", "All")
    planted = plant_many(250)

    with small_pages(60), faults.record_calls() as calls:
        assert run() == counts(created=250)

    assert len(calls.named("ListCertificates")) == 5
    assert list_watched(aws) == sorted(planted)
    for alarm in read_alarms(aws):
        check_reference(alarm, *planted[alarm["Dimensions"][0]["Value"]])
        assert read_tags(aws, alarm) == OURS


def test_alarms_follow_what_comes_and_goes(aws: Aws) -> None:
    """A second run writes nothing; ten certificates gone and ten new are ten alarms each."""
    arns = [seed.plant_acm_certificate(f"www-{one}.example.com") for one in range(250)]
    assert run() == counts(created=250)

    with faults.record_calls() as calls:
        assert run() == counts(unchanged=250)
    assert {call.operation for call in calls} == {"ListCertificates", "DescribeAlarms"}

    for arn in arns[:10]:
        aws.client("acm").delete_certificate(CertificateArn=arn)
    new = [seed.plant_acm_certificate("*.example.com") for _ in range(10)]
    with small_pages(60):
        assert run() == counts(created=10, removed=10, unchanged=240)
    assert list_watched(aws) == sorted([*arns[10:], *new])


def test_issued_certificates_are_in_scope_if_asked_for(
    aws: Aws, environment: pytest.MonkeyPatch
) -> None:
    """With SCOPE=All an issued certificate has an alarm, and one still pending has none."""
    arn = seed.plant_acm_certificate("a.example.com", kind="AMAZON_ISSUED")
    aws.client("acm").request_certificate(DomainName="pending.example.com")

    assert run() == counts()
    environment.setenv("SCOPE", "All")
    assert run() == counts(created=1)
    assert list_watched(aws) == [arn]
    environment.setenv("SCOPE", "Imported")
    assert run() == counts(removed=1)


def test_thresholds_are_settings(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """When another is chosen, the alarms that are there get it."""
    environment.setenv("SCOPE", "All")
    imported = seed.plant_acm_certificate("a.example.com")
    issued = seed.plant_acm_certificate("b.example.com", kind="AMAZON_ISSUED")
    run()

    environment.setenv("THRESHOLD_DAYS", "60")
    assert run() == counts(corrected=1, unchanged=1)
    environment.setenv("ISSUED_THRESHOLD_DAYS", "20")
    assert run() == counts(corrected=1, unchanged=1)
    assert [find_alarm(aws, one)["Threshold"] for one in (imported, issued)] == [60, 20]


def test_an_expired_certificate_keeps_its_alarm(aws: Aws) -> None:
    """What expired in ACM is not gone."""
    expired = datetime.now(UTC) - timedelta(days=1)
    seed.plant_acm_certificate("old.example.com", expires=expired)

    assert run() == counts(created=1)
    assert run() == counts(unchanged=1)


def test_other_regions_are_left_alone(aws: Aws) -> None:
    """Whatever the event names, the function works where it runs."""
    seed.plant_acm_certificate("api.example.com", region="eu-west-1")

    assert run() == counts()
    assert aws.client("cloudwatch", region="eu-west-1").describe_alarms()["MetricAlarms"] == []


# What people changed


def put_by_hand(aws: Aws, name: str, tags: dict[str, str] | None = None) -> Alarm:
    """Make an operator's own alarm, and return it."""
    aws.client("cloudwatch").put_metric_alarm(
        **REFERENCE | {"Threshold": 7, "AlarmName": name},
        Dimensions=[{"Name": "CertificateArn", "Value": "theirs"}],
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    )
    [alarm] = [one for one in read_alarms(aws) if one["AlarmName"] == name]
    return alarm


@pytest.mark.parametrize("change", [{"Threshold": 7.0}, {"AlarmActions": []}, {"Period": 3600}])
def test_what_was_changed_by_hand_is_corrected(aws: Aws, change: dict[str, Any]) -> None:
    """A threshold, a silenced action, a period: each is set again, and the tag stays."""
    arn = seed.plant_acm_certificate("api.example.com")
    seed.plant_acm_certificate("www.example.com")
    run()
    before = find_alarm(aws, arn)
    settable = {**REFERENCE, **{one: before[one] for one in ("AlarmName", "Dimensions")}}
    aws.client("cloudwatch").put_metric_alarm(**settable | change)

    assert run() == counts(corrected=1, unchanged=1)

    after = find_alarm(aws, arn)
    assert {one: after[one] for one in REFERENCE} == REFERENCE
    assert after["AlarmDescription"] == before["AlarmDescription"]
    assert read_tags(aws, after) == OURS


def test_a_silenced_alarm_is_heard_again(aws: Aws) -> None:
    """Actions that were disabled by hand are enabled."""
    arn = seed.plant_acm_certificate("api.example.com")
    run()
    name = find_alarm(aws, arn)["AlarmName"]
    aws.client("cloudwatch").disable_alarm_actions(AlarmNames=[name])

    assert run() == counts(corrected=1)
    assert find_alarm(aws, arn)["ActionsEnabled"] is True


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("acm-imported-api-example-com-expiry", {}),
        ("acm-imported-api-example-com-expiry", OURS),
        ("acm-imported-api-example-com-expiry-0a1b2c3d", {}),
        ("acm-imported-api-example-com-expiry-0a1b2c3d", {"iam26": "mine"}),
        ("iam-role-changes", {}),
    ],
)
def test_what_an_operator_made_is_untouched(aws: Aws, name: str, tags: dict[str, str]) -> None:
    """Without our tag, or a name as ours have, an alarm stays with all its settings."""
    theirs = put_by_hand(aws, name, tags)
    seed.plant_acm_certificate("api.example.com")

    assert run() == counts(created=1)
    assert theirs in read_alarms(aws)
    assert run() == counts(unchanged=1)


def test_an_alarm_of_others_under_our_name_is_told(aws: Aws) -> None:
    """The error names it, it stays as it is, and every other certificate has its alarm."""
    arn = seed.plant_acm_certificate("api.example.com")
    run()
    name = find_alarm(aws, arn)["AlarmName"]
    aws.client("cloudwatch").delete_alarms(AlarmNames=[name])
    theirs = put_by_hand(aws, name)
    other = seed.plant_acm_certificate("www.example.com")

    with pytest.raises(ForeignAlarmError, match=name):
        run()

    assert theirs in read_alarms(aws)
    assert read_tags(aws, theirs) == {}
    assert list_watched(aws) == sorted([other, "theirs"])


# What goes wrong


@pytest.fixture
def world(aws: Aws, environment: pytest.MonkeyPatch) -> list[str]:
    """A Region in which the next run makes every call there is; the ARNs that should be watched.

    It should create three alarms, correct one, remove one, and leave one.
    """
    environment.setenv("IAM_CERTIFICATES", "Enabled")
    gone, changed, kept = (
        seed.plant_acm_certificate(f"{name}.example.com") for name in ("gone", "changed", "kept")
    )
    run()
    aws.client("acm").delete_certificate(CertificateArn=gone)
    name = find_alarm(aws, changed)["AlarmName"]
    aws.client("cloudwatch").disable_alarm_actions(AlarmNames=[name])
    new = [seed.plant_acm_certificate("new.example.com") for _ in range(2)]
    server = seed.plant_certificate("web", expires=datetime.now(UTC) + timedelta(days=90))
    return [changed, kept, *new, server["Arn"]]


def check_world(aws: Aws, world: list[str]) -> None:
    """Let the function run once more, and compare what it leaves with what should be there."""
    run()
    with faults.record_calls() as calls:
        assert run() == counts(unchanged=len(world))
    assert {call.operation for call in calls} & WRITES == {"PutMetricData"}
    assert list_watched(aws) == sorted(world)
    for alarm in read_alarms(aws):
        assert alarm["ActionsEnabled"] is True
        assert read_tags(aws, alarm) == OURS


def test_a_run_makes_every_call(world: list[str]) -> None:
    """What the tests below let fail is called at all, and nothing else is."""
    with faults.record_calls() as calls:
        assert run() == counts(created=3, corrected=1, removed=1, unchanged=1)

    assert {call.operation: call.service for call in calls} == OPERATIONS
    assert len(world) == 5


TROUBLES: dict[str, faults.Fault] = {
    **HICCUPS,
    "answer-lost": faults.ConnectionDropped(after_effect=True),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_trouble_loses_and_doubles_nothing(
    aws: Aws, world: list[str], operation: str, trouble: str
) -> None:
    """What fails for good is named, and the next run mends it."""
    with (
        faults.inject(fault=TROUBLES[trouble], operation=operation),
        pytest.raises(TransientError, match=operation),
    ):
        run()

    check_world(aws, world)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_throttled_call_is_repeated(aws: Aws, world: list[str], operation: str) -> None:
    """As many as a hundred runs at once cause are nothing that anybody would notice."""
    times = 4 if operation == "ListServerCertificates" else 11
    with faults.inject(fault=faults.Throttled(), operation=operation, times=times) as throttling:
        assert run() == counts(created=3, corrected=1, removed=1, unchanged=1)

    assert throttling.hits == times
    check_world(aws, world)


def test_a_run_that_ends_anywhere_is_completed_by_others(aws: Aws, world: list[str]) -> None:
    """From whichever call on AWS throttles, further runs end with the same alarms."""
    for after in range(100):
        with faults.inject(fault=faults.Throttled(), after=after) as throttling:
            try:
                run()
            except TransientError:
                continue
        break

    assert throttling.hits == 0
    check_world(aws, world)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_missing_permission_is_one_clear_error(
    aws: Aws, world: list[str], operation: str
) -> None:
    """It names the call; if that only reads, nothing is written; once granted, all is mended."""
    with (
        faults.record_calls() as calls,
        faults.inject(fault=faults.AccessDenied(), operation=operation),
        pytest.raises(AwsCallError, match=f"{operation} answered AccessDenied"),
    ):
        run()

    assert len(calls.named(operation)) == 1
    if operation not in WRITES:
        assert not {call.operation for call in calls} & WRITES
    check_world(aws, world)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_runs_at_once_end_right(aws: Aws, world: list[str], operation: str) -> None:
    """Wherever they meet, every certificate has its alarm, and only one."""
    together = threading.Barrier(2, timeout=30)
    with (
        faults.inject(fault=faults.Call(together.wait), operation=operation, times=2) as meeting,
        ThreadPoolExecutor(2) as pool,
    ):
        for one in [pool.submit(run) for _ in range(2)]:
            one.result()

    assert meeting.hits == 2
    assert list_watched(aws) == sorted(world)
    assert run() == counts(unchanged=len(world))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_run_in_the_middle_of_another_ends_right(
    aws: Aws, world: list[str], operation: str
) -> None:
    """A newer run knows of one more certificate, and the older one does not take its alarm."""

    def run_another() -> None:
        world.append(seed.plant_acm_certificate("newest.example.com"))
        run()

    with faults.inject(fault=faults.Call(run_another), operation=operation, times=1):
        run()

    assert list_watched(aws) == sorted(world)
    assert run() == counts(unchanged=len(world))


def test_two_runs_at_once_delete_with_a_role_that_needs_the_tag(aws: Aws, world: list[str]) -> None:
    """What the other run has deleted has no tag, so AWS denies it; neither run fails for that."""
    together = threading.Barrier(2, timeout=30)
    one_at_a_time = threading.Lock()

    def names_what_is_gone(params: Mapping[str, Any]) -> bool:
        there = {one["AlarmName"] for one in read_alarms(aws)}
        return not there.issuperset(params["AlarmNames"])

    def delete_as_the_role(call: faults.ApiCall, proceed: Callable[[], AWSResponse]) -> AWSResponse:
        together.wait()
        with one_at_a_time:
            if names_what_is_gone(call.params):
                return faults.AccessDenied()(call, proceed)
            return proceed()

    with (
        faults.inject(fault=delete_as_the_role, operation="DeleteAlarms") as deleting,
        ThreadPoolExecutor(2) as pool,
    ):
        for one in [pool.submit(run) for _ in range(2)]:
            one.result()

    assert deleting.hits == 2
    assert list_watched(aws) == sorted(world)


def test_one_alarm_that_is_refused_keeps_no_other_from_being_set(aws: Aws) -> None:
    """The error says why, all others are there, and the next run makes that one as well."""
    arns = [seed.plant_acm_certificate(f"www-{one}.example.com") for one in range(4)]
    refusal = faults.AwsFault("LimitExceeded", "You have reached the limit of alarms.")

    with (
        faults.inject(fault=refusal, operation="PutMetricAlarm", after=1, times=1),
        pytest.raises(AwsCallError, match="PutMetricAlarm answered LimitExceeded"),
    ):
        run()

    assert len(read_alarms(aws)) == 3
    assert run() == counts(created=1, unchanged=3)
    assert list_watched(aws) == sorted(arns)


def test_more_than_the_cap_changes_nothing(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """One clear error, and nothing written; as many as are allowed are made."""
    for one in range(3):
        seed.plant_acm_certificate(f"www-{one}.example.com")
    environment.setenv("MAX_ALARMS", "2")

    with faults.record_calls() as calls, pytest.raises(TooManyAlarmsError, match="3 certificates"):
        run()

    assert not {call.operation for call in calls} & WRITES
    environment.setenv("MAX_ALARMS", "3")
    assert run() == counts(created=3)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOPIC_ARN", ""),
        ("TOPIC_ARN", TOPIC.replace("us-east-1", "eu-west-1")),
        ("THRESHOLD_DAYS", "soon"),
        ("ISSUED_THRESHOLD_DAYS", "0"),
        ("SCOPE", "Some"),
        ("IAM_CERTIFICATES", "yes"),
        ("MAX_ALARMS", "10001"),
        ("AWS_REGION", ""),
    ],
)
def test_a_wrong_environment_is_one_error(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """It names the variable, without a chain of others, and nothing is called."""
    environment.delenv("AWS_DEFAULT_REGION", raising=False)
    environment.setenv(variable, value)

    with faults.record_calls() as calls, pytest.raises(SettingsError, match=variable) as error:
        run()

    assert "".join(traceback.format_exception(error.value)).count("Traceback") == 1
    assert calls == []


# Certificates in IAM


def test_server_certificates_of_iam(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """The days that a valid one has left are published for its alarm; an expired one has none."""
    environment.setenv("IAM_CERTIFICATES", "Enabled")
    expires = datetime.now(UTC) + timedelta(days=50, hours=1)
    valid = seed.plant_certificate("web", path="/team/", expires=expires)
    seed.plant_certificate("old", expires=datetime.now(UTC) - timedelta(days=1))

    with faults.record_calls() as calls:
        assert run() == counts(created=1)

    [publishing] = calls.named("PutMetricData")
    [published] = publishing.params["MetricData"]
    dimensions = [{"Name": "CertificateArn", "Value": valid["Arn"]}]
    assert publishing.params["Namespace"] == "IAM26Remediation"
    assert (published["MetricName"], published["Value"]) == ("DaysToExpiry", 50)
    assert published["Dimensions"] == dimensions
    alarm = find_alarm(aws, valid["Arn"])
    expected = REFERENCE | {"Namespace": "IAM26Remediation", "Dimensions": dimensions}
    assert {field: alarm[field] for field in expected} == expected
    assert re.fullmatch("iam-web-expiry-[0-9a-f]{8}", alarm["AlarmName"])


def test_the_alarm_finds_the_metric(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """Asked for what the alarm looks at, CloudWatch has the days that were published."""
    environment.setenv("IAM_CERTIFICATES", "Enabled")
    now = datetime.now(UTC)
    valid = seed.plant_certificate("web", expires=now + timedelta(days=50, hours=1))
    run()
    alarm = find_alarm(aws, valid["Arn"])

    found = aws.client("cloudwatch").get_metric_statistics(
        **{one: alarm[one] for one in ("Namespace", "MetricName", "Dimensions", "Period")},
        Statistics=[alarm["Statistic"]],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
    )

    assert [point["Minimum"] for point in found["Datapoints"]] == [50]


def test_alarms_end_with_what_they_are_about(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """A certificate deleted in IAM has its alarm no more, nor any while they are out of scope."""
    environment.setenv("IAM_CERTIFICATES", "Enabled")
    later = datetime.now(UTC) + timedelta(days=90)
    for name in ("web", "api"):
        seed.plant_certificate(name, expires=later)
    assert run() == counts(created=2)

    aws.client("iam").delete_server_certificate(ServerCertificateName="web")
    assert run() == counts(removed=1, unchanged=1)
    environment.setenv("IAM_CERTIFICATES", "Disabled")
    with faults.record_calls() as calls:
        assert run() == counts(removed=1)
    assert not {call.operation for call in calls} & {"ListServerCertificates", "PutMetricData"}


def test_a_certificate_renewed_under_its_name_keeps_its_alarm(
    aws: Aws, environment: pytest.MonkeyPatch
) -> None:
    """The alarm sees the days of the new one; one that is moved to another path gets its own."""
    environment.setenv("IAM_CERTIFICATES", "Enabled")
    now = datetime.now(UTC)
    old = seed.plant_certificate("web", expires=now + timedelta(days=10, hours=1))
    run()
    iam = aws.client("iam")
    iam.delete_server_certificate(ServerCertificateName="web")
    new = seed.plant_certificate("web", expires=now + timedelta(days=300, hours=1))
    assert new["Arn"] == old["Arn"]

    with faults.record_calls() as calls:
        assert run() == counts(unchanged=1)

    [publishing] = calls.named("PutMetricData")
    assert [one["Value"] for one in publishing.params["MetricData"]] == [300]
    iam.update_server_certificate(ServerCertificateName="web", NewPath="/moved/")
    assert run() == counts(created=1, removed=1)
    [moved] = list_watched(aws)
    assert moved.endswith(":server-certificate/moved/web")
