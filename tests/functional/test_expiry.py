"""The expiry alarms on the local AWS: 250 certificates, and whatever can go wrong on the way."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.expiry.alarms import AlarmCounts
from handlers.expiry_alarms import handler
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.certificates import KeyType
from local.fixtures.context import Context
from models.errors import AwsCallError, TransientError
from models.expiry import ForeignAlarmError, TooManyAlarmsError
from tests.functional.page_size import small_pages

TOPIC = f"arn:aws:sns:us-east-1:{OWN_ACCOUNT}:pagerduty-platform"
EVENT = {"source": "aws.acm", "detail-type": "ACM Certificate Available", "region": "eu-west-1"}
KEY_TYPES: tuple[KeyType, ...] = (
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
)
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
WRITES = {"PutMetricAlarm", "DeleteAlarms", "TagResource", "PutMetricData"}


@pytest.fixture(autouse=True)
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The function in us-east-1, with its defaults, whose client of CloudWatch does not pause."""
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)
    for name, value in {"AWS_REGION": "us-east-1", "TOPIC_ARN": TOPIC}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def run() -> AlarmCounts:
    return handler(EVENT, Context())


def counts(
    created: int = 0, corrected: int = 0, removed: int = 0, unchanged: int = 0
) -> dict[str, int]:
    return {
        "created": created,
        "corrected": corrected,
        "removed": removed,
        "unchanged": unchanged,
    }


def describe(aws: Aws) -> list[dict[str, Any]]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def find_watched(aws: Aws) -> list[str]:
    """Return the ARNs of what the alarms are about, sorted, each as often as it has one."""
    return sorted(alarm["Dimensions"][0]["Value"] for alarm in describe(aws))


def test_250_certificates(aws: Aws) -> None:
    """Each has one alarm as the reference is, and alarms follow what comes and goes."""
    arns = [
        seed.plant_acm_certificate(f"www-{number}.example.com", key_type="EC_prime256v1")
        for number in range(250)
    ]

    assert run() == counts(created=250)

    alarms = describe(aws)
    assert find_watched(aws) == sorted(arns)
    for alarm in alarms:
        assert {name: alarm[name] for name in REFERENCE} == REFERENCE
        assert [one["Name"] for one in alarm["Dimensions"]] == ["CertificateArn"]
    with faults.record_calls() as calls:
        assert run() == counts(unchanged=250)
    assert not [call for call in calls if call.operation in WRITES | {"ListTagsForResource"}]

    for arn in arns[:10]:
        aws.client("acm").delete_certificate(CertificateArn=arn)
    new = [seed.plant_acm_certificate("*.example.com") for _ in range(10)]
    assert run() == counts(created=10, removed=10, unchanged=240)
    assert find_watched(aws) == sorted([*arns[10:], *new])


def test_every_type_of_key_and_name(aws: Aws) -> None:
    """Keys that ACM hides by default, wildcards, no domain and a long one have their alarms."""
    domains = ["api.example.com", "*.example.com", None, f"{'a' * 60}.{'b' * 60}.{'c' * 60}.com"]
    arns = [
        seed.plant_acm_certificate(domain, key_type=key) for key in KEY_TYPES for domain in domains
    ]

    with small_pages(3):
        assert run() == counts(created=len(arns))

    assert find_watched(aws) == sorted(arns)
    assert max(len(alarm["AlarmName"]) for alarm in describe(aws)) <= 255


def test_issued_certificates_are_in_scope_if_asked_for(
    aws: Aws, environment: pytest.MonkeyPatch
) -> None:
    """With SCOPE=All an issued certificate is watched at 30 days, and without it no more."""
    seed.plant_acm_certificate("a.example.com", kind="AMAZON_ISSUED")
    aws.client("acm").request_certificate(DomainName="pending.example.com")

    environment.setenv("SCOPE", "All")
    assert run() == counts(created=1)
    [alarm] = describe(aws)
    assert alarm["AlarmName"].startswith("acm-issued-a-example-com-expiry-")
    assert alarm["Threshold"] == 30
    environment.setenv("SCOPE", "Imported")
    assert run() == counts(removed=1)


def test_an_expired_certificate_keeps_its_alarm(aws: Aws) -> None:
    """What expired in ACM is not gone."""
    expired = datetime.now(UTC) - timedelta(days=1)
    seed.plant_acm_certificate("old.example.com", expires=expired)

    assert run() == counts(created=1)
    assert run() == counts(unchanged=1)


def test_what_was_changed_by_hand_is_corrected(aws: Aws) -> None:
    """A threshold and a silenced alarm are set again."""
    seed.plant_acm_certificate("api.example.com")
    run()
    [alarm] = describe(aws)
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=[alarm["AlarmName"]])

    assert run() == counts(corrected=1)
    assert describe(aws)[0]["ActionsEnabled"] is True
    assert run() == counts(unchanged=1)


def put_by_hand(aws: Aws, name: str) -> dict[str, Any]:
    """Make an operator's own alarm, and return it."""
    settings = REFERENCE | {"Threshold": 7, "AlarmName": name}
    aws.client("cloudwatch").put_metric_alarm(
        **settings, Dimensions=[{"Name": "CertificateArn", "Value": "theirs"}]
    )
    [alarm] = [one for one in describe(aws) if one["AlarmName"] == name]
    return alarm


@pytest.mark.parametrize(
    "name", ["acm-imported-api-example-com-expiry", "acm-imported-api-example-com-expiry-0a1b2c3d"]
)
def test_what_an_operator_made_is_untouched(aws: Aws, name: str) -> None:
    """An alarm with a similar name stays, with all its settings."""
    theirs = put_by_hand(aws, name)
    seed.plant_acm_certificate("api.example.com")

    assert run() == counts(created=1)
    assert theirs in describe(aws)


def test_an_operator_has_the_name_of_ours(aws: Aws) -> None:
    """It is named in the error, and every other certificate has its alarm."""
    arn = seed.plant_acm_certificate("api.example.com")
    run()
    [alarm] = describe(aws)
    aws.client("cloudwatch").delete_alarms(AlarmNames=[alarm["AlarmName"]])
    theirs = put_by_hand(aws, alarm["AlarmName"])
    other = seed.plant_acm_certificate("www.example.com")

    with pytest.raises(ForeignAlarmError, match=alarm["AlarmName"]):
        run()

    assert theirs in describe(aws)
    assert find_watched(aws) == sorted([other, "theirs"])
    assert arn not in find_watched(aws)


def test_more_than_the_cap(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """One clear error, and nothing written."""
    for number in range(3):
        seed.plant_acm_certificate(f"www-{number}.example.com")
    environment.setenv("MAX_ALARMS", "2")

    with faults.record_calls() as calls, pytest.raises(TooManyAlarmsError, match="3 certificates"):
        run()

    assert not [call for call in calls if call.operation in WRITES]


CALLS = [
    ("acm", "ListCertificates"),
    ("cloudwatch", "DescribeAlarms"),
    ("cloudwatch", "ListTagsForResource"),
    ("cloudwatch", "PutMetricAlarm"),
    ("cloudwatch", "DeleteAlarms"),
    ("cloudwatch", "PutMetricData"),
    ("iam", "ListServerCertificates"),
]


def prepare_every_change(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """Let the next run create, correct, remove and publish."""
    environment.setenv("IAM_CERTIFICATES", "Enabled")
    gone, changed = (seed.plant_acm_certificate(f"{name}.example.com") for name in ("a", "b"))
    run()
    aws.client("acm").delete_certificate(CertificateArn=gone)
    [name] = [one["AlarmName"] for one in describe(aws) if one["Dimensions"][0]["Value"] == changed]
    aws.client("cloudwatch").disable_alarm_actions(AlarmNames=[name])
    seed.plant_acm_certificate("c.example.com")
    seed.plant_certificate("web", expires=datetime.now(UTC) + timedelta(days=90))


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_throttling_loses_and_doubles_nothing(
    aws: Aws, environment: pytest.MonkeyPatch, service: str, operation: str
) -> None:
    """Whichever call is throttled for good, the next run does the rest."""
    prepare_every_change(aws, environment)

    with (
        faults.inject(fault=faults.Throttled(), service=service, operation=operation),
        pytest.raises(TransientError, match=operation),
    ):
        run()

    run()
    assert run() == counts(unchanged=3)
    assert len(find_watched(aws)) == 3


@pytest.mark.parametrize("operation", [one[1] for one in CALLS])
def test_two_runs_at_once_end_right(
    aws: Aws, environment: pytest.MonkeyPatch, operation: str
) -> None:
    """Wherever another run comes in between, every certificate has its alarm, and only one."""
    prepare_every_change(aws, environment)

    def run_another() -> None:
        seed.plant_acm_certificate("d.example.com")
        run()

    with faults.inject(fault=faults.Call(run_another), operation=operation, times=1):
        run()

    assert run()["unchanged"] == 4
    assert len(set(find_watched(aws))) == len(find_watched(aws)) == 4


READS = [one for one in CALLS if one[1] not in WRITES]


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_a_missing_permission_is_one_clear_error(
    aws: Aws, environment: pytest.MonkeyPatch, service: str, operation: str
) -> None:
    """It names the call, and if that only reads, nothing was written."""
    prepare_every_change(aws, environment)

    with (
        faults.record_calls() as calls,
        faults.inject(fault=faults.AccessDenied(), service=service, operation=operation),
        pytest.raises(AwsCallError, match=f"{operation} answered AccessDenied"),
    ):
        run()

    if (service, operation) in READS:
        assert not [call for call in calls if call.operation in WRITES]
    run()
    assert run() == counts(unchanged=3)


def test_server_certificates_of_iam(aws: Aws, environment: pytest.MonkeyPatch) -> None:
    """Their days are published under the name that their alarm looks at, until they expire."""
    environment.setenv("IAM_CERTIFICATES", "Enabled")
    expires = datetime.now(UTC) + timedelta(days=50, hours=1)
    valid = seed.plant_certificate("web", expires=expires)
    seed.plant_certificate("old", expires=datetime.now(UTC) - timedelta(days=1))

    assert run() == counts(created=1)

    [alarm] = describe(aws)
    assert alarm["AlarmName"].startswith("iam-web-expiry-")
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace=alarm["Namespace"],
        MetricName=alarm["MetricName"],
        Dimensions=alarm["Dimensions"],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(hours=1),
        Period=alarm["Period"],
        Statistics=[alarm["Statistic"]],
    )
    assert [point["Minimum"] for point in found["Datapoints"]] == [50]
    assert alarm["Dimensions"] == [{"Name": "CertificateArn", "Value": valid["Arn"]}]


def test_other_regions_are_left_alone(aws: Aws) -> None:
    """Whatever the event names, the function works where it runs."""
    seed.plant_acm_certificate("api.example.com", region="eu-west-1")

    assert run() == counts()
    assert aws.client("cloudwatch", region="eu-west-1").describe_alarms()["MetricAlarms"] == []
