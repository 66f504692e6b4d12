"""Expiry alarms: their names, what each says, and what must change."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.observability import NAMESPACE
from models.expiry import (
    DESCRIPTION_LENGTH,
    IAM_NAMESPACE,
    NAME_LENGTH,
    OUR_NAME,
    Alarm,
    ForeignAlarmError,
    Kind,
    StoredAlarm,
    TooManyAlarmsError,
    Watched,
    compare,
    compose_alarm,
    count_days,
    is_ours,
    name_alarm,
    split_days,
    watch_acm,
    watch_iam,
)
from models.settings import Scope
from tests.builders import NOW, make_arn, make_certificate
from tests.fakes_expiry import TOPIC, make_acm, make_acm_arn, make_settings

ARN = "arn:aws:acm:us-east-1:123456789012:certificate/9f3a2b14"


def watch(kind: Kind = Kind.IMPORTED, name: str = "api.example.com", arn: str = ARN) -> Watched:
    return Watched(kind, arn, name)


def store(alarm: Alarm) -> StoredAlarm:
    return StoredAlarm(f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{alarm.name}", alarm)


# Names


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (Kind.IMPORTED, "api.example.com", "acm-imported-api-example-com-expiry-"),
        (Kind.ISSUED, "*.example.com", "acm-issued---example-com-expiry-"),
        (Kind.IAM, "web_2026+old@x", "iam-web-2026-old-x-expiry-"),
        (Kind.IMPORTED, "xn--bcher-kva.EXAMPLE", "acm-imported-xn--bcher-kva-EXAMPLE-expiry-"),
        (Kind.IMPORTED, "bücher.example", "acm-imported-b-cher-example-expiry-"),
    ],
)
def test_a_name_can_be_read(kind: Kind, name: str, expected: str) -> None:
    """It says what keeps the certificate and what it is for, and ends in eight characters."""
    named = name_alarm(watch(kind, name))

    assert named[:-8] == expected
    assert re.fullmatch("[0-9a-f]{8}", named[-8:])


@given(
    st.sets(
        st.tuples(st.sampled_from(Kind), st.text(max_size=300), st.integers(0, 10**6)),
        min_size=1,
    )
)
def test_names_are_distinct_valid_and_stable(certificates: set[tuple[Kind, str, int]]) -> None:
    """Whatever the domains, certificates have names of their own that CloudWatch takes."""
    by_arn = {
        number: watch(kind, name, make_acm_arn(number)) for kind, name, number in certificates
    }
    names = {number: name_alarm(one) for number, one in by_arn.items()}

    assert len(set(names.values())) == len(names)
    for number, name in names.items():
        assert len(name) <= NAME_LENGTH
        assert re.fullmatch("[A-Za-z0-9-]+", name)
        assert OUR_NAME.fullmatch(name)
        assert name == name_alarm(by_arn[number])


def test_the_same_domain_twice_makes_two_names() -> None:
    """The ARN alone decides the end of a name, so it stays when the domain changes."""
    one, other = (watch(arn=make_acm_arn(number)) for number in (1, 2))
    moved = watch(name="www.example.com", arn=make_acm_arn(1))

    assert name_alarm(one) != name_alarm(other)
    assert name_alarm(one)[-8:] == name_alarm(moved)[-8:]


def test_a_long_domain_leaves_room_for_the_end() -> None:
    """A name has the length that CloudWatch takes at most, and still its own ending."""
    one, other = (watch(name="a" * 300, arn=make_acm_arn(number)) for number in (1, 2))

    assert len(name_alarm(one)) == NAME_LENGTH
    assert name_alarm(one) != name_alarm(other)


@pytest.mark.parametrize(
    "name",
    [
        "acm-imported-api-example-com-expiry",
        "acm-imported-api-example-com-expiry-mine",
        "acm-other-api-expiry-0a1b2c3d",
        "iam-role-changes",
    ],
)
def test_a_similar_name_is_not_like_ours(name: str) -> None:
    """What lacks the beginning or the end of our names is never looked at."""
    alarm = compose_alarm(watch(), make_settings()).model_copy(update={"name": name})

    assert compare([], [store(alarm)]).stale == ()


# What an alarm is


def test_an_alarm_is_the_reference_one() -> None:
    """Field by field it is what an operator would type, and it ignores missing data."""
    alarm = compose_alarm(watch(), make_settings())
    fields = alarm.model_dump(by_alias=True, exclude_none=True)

    assert fields.pop("AlarmName").startswith("acm-imported-api-example-com-expiry-")
    assert "api.example.com" in fields.pop("AlarmDescription")
    assert fields == {
        "Namespace": "AWS/CertificateManager",
        "MetricName": "DaysToExpiry",
        "Dimensions": ({"Name": "CertificateArn", "Value": ARN},),
        "Statistic": "Minimum",
        "Period": 86400,
        "EvaluationPeriods": 1,
        "Threshold": 45,
        "ComparisonOperator": "LessThanOrEqualToThreshold",
        "TreatMissingData": "ignore",
        "ActionsEnabled": True,
        "AlarmActions": (TOPIC,),
        "OKActions": (),
        "InsufficientDataActions": (),
    }


@pytest.mark.parametrize(
    ("kind", "threshold", "namespace"),
    [
        (Kind.IMPORTED, 40, "AWS/CertificateManager"),
        (Kind.ISSUED, 20, "AWS/CertificateManager"),
        (Kind.IAM, 40, "IAM26Remediation"),
    ],
)
def test_each_kind_has_its_threshold_and_metric(kind: Kind, threshold: int, namespace: str) -> None:
    """Issued certificates have a threshold of their own, those of IAM a metric of their own."""
    alarm = compose_alarm(watch(kind), make_settings(threshold_days=40, issued_threshold_days=20))

    assert (alarm.threshold, alarm.namespace) == (threshold, namespace)
    assert f"within {threshold} days" in alarm.description
    assert ARN in alarm.description


def test_the_metric_of_iam_is_where_the_other_metrics_are() -> None:
    """The application has one namespace."""
    assert IAM_NAMESPACE == NAMESPACE


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        (
            Kind.IMPORTED,
            "The certificate for api.example.com, imported into ACM, expires within 45 days, and "
            "ACM does not renew what was imported. Import its successor under the same ARN, so "
            "that nothing that uses it has to change, or request one that ACM renews. " + ARN,
        ),
        (
            Kind.ISSUED,
            "ACM should have renewed the certificate for api.example.com by now: it expires within "
            "30 days, so the renewal has stalled. See RenewalSummary in `aws acm "
            "describe-certificate`: most often a DNS record for validation is missing, or nothing "
            "uses the certificate. " + ARN,
        ),
        (
            Kind.IAM,
            "The server certificate api.example.com in IAM expires within 45 days, and IAM renews "
            "nothing. Nothing was scanned for this alarm: `iam26 plan` lists what refers to it "
            "(load balancers, CloudFront, AppSync domains, Elastic Beanstalk). Request or import "
            "its successor in ACM (where ACM is not offered: upload it to IAM), set that there, "
            "then this one can go. " + ARN,
        ),
    ],
)
def test_a_description_says_what_to_do(kind: Kind, description: str) -> None:
    """Whoever is paged reads whether to import, to look at the renewal or to move to ACM."""
    assert compose_alarm(watch(kind), make_settings()).description == description


def test_a_description_fits() -> None:
    """The longest path that IAM allows leaves a description that CloudWatch takes."""
    arn = make_arn("n" * 128, path=f"/{'p' * 510}/")

    alarm = compose_alarm(watch(Kind.IAM, "n" * 128, arn), make_settings())

    assert len(alarm.description) <= DESCRIPTION_LENGTH


# Which certificates


@pytest.mark.parametrize(
    ("fields", "scope", "kind"),
    [
        ({}, Scope.IMPORTED, Kind.IMPORTED),
        ({"status": "EXPIRED"}, Scope.IMPORTED, Kind.IMPORTED),
        ({"type": "AMAZON_ISSUED"}, Scope.IMPORTED, None),
        ({"type": "AMAZON_ISSUED"}, Scope.ALL, Kind.ISSUED),
        ({"type": "PRIVATE"}, Scope.ALL, Kind.ISSUED),
        ({"type": "AMAZON_ISSUED", "status": "PENDING_VALIDATION"}, Scope.ALL, None),
        ({"type": "AMAZON_ISSUED", "status": "VALIDATION_TIMED_OUT"}, Scope.ALL, None),
        ({"type": "AMAZON_ISSUED", "status": "FAILED"}, Scope.ALL, None),
        ({"type": "PRIVATE", "status": "REVOKED"}, Scope.ALL, None),
        ({"type": "AMAZON_ISSUED", "status": "INACTIVE"}, Scope.ALL, Kind.ISSUED),
    ],
)
def test_scope_and_status_decide(fields: dict[str, Any], scope: Scope, kind: Kind | None) -> None:
    """Imported ones always, issued ones if asked for, and none that no renewal is due for."""
    assert [one.kind for one in watch_acm([make_acm(**fields)], scope)] == ([kind] if kind else [])


def test_a_certificate_without_a_domain_is_named_by_its_id() -> None:
    """What has no domain name is called by the end of its ARN."""
    [watched] = watch_acm([make_acm(0x9F3A2B14, domain="")], Scope.IMPORTED)

    assert name_alarm(watched).startswith("acm-imported-9f3a2b14-expiry-")


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (timedelta(days=45, hours=23), 45),
        (timedelta(days=45), 45),
        (timedelta(hours=1), 0),
        (timedelta(0), None),
        (timedelta(days=-1), None),
    ],
)
def test_an_iam_certificate_is_watched_until_it_expires(left: timedelta, days: int | None) -> None:
    """Whole days are counted down to 0, and what has expired is for the remediation."""
    certificate = make_certificate(expiration=NOW + left)

    assert count_days([certificate], NOW).get(certificate.arn) == days
    assert bool(watch_iam([certificate], NOW)) is (days is not None)


def test_an_iam_certificate_of_unknown_expiry_keeps_its_alarm() -> None:
    """What IAM does not say is not taken for expired, and no number is made up."""
    certificate = make_certificate(expiration=None)

    assert [one.arn for one in watch_iam([certificate], NOW)] == [certificate.arn]
    assert count_days([certificate], NOW) == {}


# What must change

DRIFT: list[dict[str, Any]] = [
    {"threshold": 10},
    {"actions_enabled": False},
    {"alarm_actions": ()},
    {"alarm_actions": (f"{TOPIC}-old",)},
    {"ok_actions": (TOPIC,)},
    {"insufficient_data_actions": (TOPIC,)},
    {"treat_missing_data": "breaching"},
    {"period": 3600},
    {"evaluation_periods": 2},
    {"statistic": "Maximum"},
    {"comparison": "LessThanThreshold"},
    {"description": ""},
    {"dimensions": ()},
    {"unit": "Count"},
    {"namespace": "", "metric_name": "", "statistic": "", "period": 0},
]


@pytest.mark.parametrize("drift", DRIFT, ids=str)
def test_whatever_was_changed_by_hand_is_corrected(drift: dict[str, Any]) -> None:
    """A difference in any field is a correction to what the alarm should be."""
    desired = compose_alarm(watch(), make_settings())
    stored = store(desired.model_copy(update=drift))

    changes = compare([desired], [stored])

    assert changes.drifted == ((stored, desired),)
    assert (changes.missing, changes.stale, changes.unchanged) == ((), (), 0)


def test_the_difference() -> None:
    """What is missing is created, what nobody needs is stale, and the rest stays."""
    kept, new, old = (
        compose_alarm(watch(arn=make_acm_arn(number)), make_settings()) for number in (1, 2, 3)
    )

    changes = compare([kept, new], [store(kept), store(old)])

    assert changes.missing == (new,)
    assert changes.stale == (store(old),)
    assert changes.unchanged == 1
    assert changes.drifted == ()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"iam26": "expiry-alarm", "team": "x"}, True),
        ({"iam26": "other"}, False),
        ({}, False),
    ],
)
def test_a_tag_says_what_is_ours(tags: dict[str, str], *, expected: bool) -> None:
    """Only the tag with its value makes an alarm ours."""
    assert is_ours(tags) is expected


def test_errors_say_what_to_do() -> None:
    """Each names numbers or alarms, the setting or the tag that would help."""
    assert str(TooManyAlarmsError(650, 500)) == (
        "650 certificates are in scope, and MAX_ALARMS allows 500 alarms; none was changed. "
        "Raise MAX_ALARMS (an alarm costs 0.10 USD a month) or narrow SCOPE."
    )
    assert str(ForeignAlarmError(["b", "a"])) == (
        "not ours, for want of the tag iam26=expiry-alarm, and left alone: a, b. "
        "Rename them, or give them the tag."
    )


@pytest.mark.parametrize(
    ("drift", "first"),
    [({}, {"a": 1}), ({"threshold": 1}, {"a": 1}), ({"dimensions": ()}, {})],
)
def test_the_days_of_what_has_an_alarm_are_parted_from_others(
    drift: dict[str, Any], first: dict[str, int]
) -> None:
    """What an alarm of IAM looks at has one, and nothing else has, whatever is in its name."""
    days = {"a": 1, "b": 2, "c": 3}
    watching_a = compose_alarm(watch(Kind.IAM, arn="a"), make_settings())
    watching_c = compose_alarm(watch(Kind.IMPORTED, arn="c"), make_settings())
    stored = [store(watching_a.model_copy(update=drift)), store(watching_c)]

    assert split_days(days, stored) == (first, dict(sorted(days.items() - first.items())))
