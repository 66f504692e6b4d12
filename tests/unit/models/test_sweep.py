"""The sweep's messages: everything is in them, once, and none is too large."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.aws.knobs import OWN_ACCOUNT
from models.events import FindingsEvent, SqsRecord, parse_findings, parse_record
from models.finding import Finding
from models.sweep import (
    ENVELOPE_BYTES,
    MESSAGE_BYTES,
    Envelope,
    compose_messages,
    is_left_open,
)
from tests.builders import NOW, make_finding

ENVELOPE = Envelope(account=OWN_ACCOUNT, region="us-east-1", time=NOW)

fields = st.dictionaries(st.text(min_size=1, max_size=128), st.text(max_size=1024), max_size=5)


def parse(body: str) -> FindingsEvent:
    """Return a message as the remediation reads it."""
    return parse_record(SqsRecord(message_id="1", body=body))


def make_findings(count: int, **more: Any) -> list[Finding]:
    return [make_finding(Id=f"finding-{number}", **more) for number in range(count)]


@settings(deadline=None)
@given(st.lists(fields, max_size=5), st.integers(0, 300))
def test_nothing_is_lost_or_changed(various: list[dict[str, str]], others: int) -> None:
    """What the remediation reads is what Security Hub said, in order."""
    findings = [
        *(make_finding(Id=f"odd-{n}", UserDefinedFields=one) for n, one in enumerate(various)),
        *make_findings(others),
    ]

    events = [parse(body) for body in compose_messages(ENVELOPE, findings)]

    assert [one for event in events for one in parse_findings(event)] == findings


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.sampled_from(["a", "é", "𝄞", '"']))
def test_no_message_is_too_large(sizes: list[int], character: str) -> None:
    """Whatever is written on findings, each message fits into the queue."""
    findings = [
        make_finding(
            Id=f"finding-{n}",
            UserDefinedFields={f"field-{i}": character * 1024 for i in range(size)},
        )
        for n, size in enumerate(sizes)
    ]

    bodies = list(compose_messages(ENVELOPE, findings))

    assert all(len(body.encode()) <= MESSAGE_BYTES for body in bodies)


@settings(deadline=None)
@given(st.integers(1, 1000))
def test_as_few_as_there_can_be(count: int) -> None:
    """No two neighbouring messages would fit into one."""
    bodies = [body.encode() for body in compose_messages(ENVELOPE, make_findings(count))]

    # Each has an envelope of its own, and one is reckoned generously.
    full = MESSAGE_BYTES - ENVELOPE_BYTES
    assert all(len(one) + len(other) > full for one, other in pairwise(bodies))


def test_a_hundred_findings_fit_into_one() -> None:
    """An account with many certificates still costs one scan."""
    assert len(list(compose_messages(ENVELOPE, make_findings(100)))) == 1


def test_no_findings_no_message() -> None:
    """An event without findings would be refused, so there is none."""
    assert list(compose_messages(ENVELOPE, [])) == []


def test_messages_of_a_sweep_have_ids_of_their_own() -> None:
    """Each message differs from the others, and from those of the next sweep, by its id."""
    long = {f"field-{number}": "x" * 1024 for number in range(50)}
    findings = make_findings(20, UserDefinedFields=long)
    later = ENVELOPE.model_copy(update={"time": NOW.replace(hour=7)})

    ids = [
        json.loads(body)["id"]
        for envelope in (ENVELOPE, later)
        for body in compose_messages(envelope, findings)
    ]

    assert len(ids) > 4
    assert len(set(ids)) == len(ids)


def closed(outcome: str = "deleted", **more: str) -> dict[str, Any]:
    """Return the fields of a finding that was set to RESOLVED at `NOW` with an outcome."""
    ours = {"iam26Outcome": outcome, "iam26CheckedAt": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}
    return {"Workflow": {"Status": "RESOLVED"}, "UserDefinedFields": ours | more}


def evaluated(**after: float) -> dict[str, str]:
    """Return the field that says when Security Hub evaluated a finding, so long after `NOW`."""
    return {"UpdatedAt": (NOW + timedelta(**after)).isoformat()}


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [
        ({}, True),
        ({"Workflow": {"Status": "NOTIFIED"}, "UserDefinedFields": {"iam26Outcome": "x"}}, True),
        ({"Workflow": {"Status": "NOTIFIED"}, "UserDefinedFields": {"ticket": "SEC-1"}}, False),
        ({"Workflow": {"Status": "NOTIFIED"}}, False),
        ({"Workflow": {"Status": "SUPPRESSED"}}, False),
        (closed() | evaluated(hours=26, seconds=1), True),
        (closed() | evaluated(hours=26), False),
        (closed() | evaluated(hours=-1), False),
        (closed("already-gone") | evaluated(days=2), True),
        (closed("in-use") | evaluated(days=2), False),
        ({"Workflow": {"Status": "RESOLVED"}} | evaluated(days=2), False),
        (closed(), False),
        (closed() | {"UpdatedAt": "yesterday"}, False),
        (closed(iam26CheckedAt="yesterday") | evaluated(hours=-1), True),
        (closed(iam26CheckedAt="2026-11-20T06:00:00") | evaluated(hours=-1), True),
        (closed(iam26CheckedAt="") | evaluated(hours=-1), True),
        (closed() | evaluated(days=2) | {"Workflow": {"Status": "SUPPRESSED"}}, False),
        (closed() | evaluated(days=2) | {"RecordState": "ARCHIVED"}, False),
        ({"Compliance": {"Status": "PASSED", "SecurityControlId": "IAM.26"}}, False),
        ({"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.1"}}, False),
        ({"RecordState": "ARCHIVED"}, False),
        ({"ProductArn": "arn:aws:securityhub:us-east-1::product/acme/scanner"}, False),
    ],
)
def test_what_is_left_open(fields: dict[str, Any], *, is_open: bool) -> None:
    """It is open while NEW, NOTIFIED by us, or closed by us and evaluated again a day later."""
    assert is_left_open(make_finding(**fields)) is is_open


def test_has_the_form_of_an_event() -> None:
    """A message is an EventBridge event with findings in the AWS Security Finding Format."""
    [body] = compose_messages(ENVELOPE, make_findings(1))
    event = json.loads(body)
    [finding] = event.pop("detail")["findings"]
    assert finding["AwsAccountId"] == OWN_ACCOUNT
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "IAM.26 Sweep",
        "source": "iam26-remediation",
        "account": OWN_ACCOUNT,
        "time": "2026-11-20T06:00:00Z",
        "region": "us-east-1",
        "resources": [],
    }
