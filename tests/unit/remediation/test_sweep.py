"""The sweep: what is open is found, once, and sent account by account."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from handlers.remediation.sweep import Sweep, Swept
from local.aws.knobs import OWN_ACCOUNT
from models.errors import AwsCallError, EventError, TransientError
from models.events import FindingsEvent, SqsRecord, parse_record
from models.finding import Finding
from models.settings import AutoRemediation, SweepSettings
from tests.builders import NOW, OTHER_ACCOUNT, make_finding
from tests.fakes import FakeClock, FakeFindingSearch, FakeNotifications, FakeQueue
from tests.unit.remediation.conftest import ReadLog, ReadMetrics

DENIED = AwsCallError("SendMessage", "AccessDenied")


def make_findings(*numbers: int, **fields: Any) -> list[Finding]:
    return [make_finding(Id=f"finding/{number}", **fields) for number in numbers]


def sweep(
    search: FakeFindingSearch,
    queue: FakeQueue,
    topic: FakeNotifications | None = None,
    **settings: Any,
) -> Swept:
    """Run a sweep of eu-west-1 and all its accounts at `NOW`."""
    fields = {"queue_url": "https://queue", "member_role_name": "iam26-member"} | settings
    return Sweep(
        SweepSettings.model_validate(fields),
        search,
        queue,
        topic,
        "eu-west-1",
        lambda: OWN_ACCOUNT,
        FakeClock(),
    ).run()


def read_events(queue: FakeQueue) -> list[FindingsEvent]:
    """Return what was sent, as the remediation reads it."""
    return [parse_record(SqsRecord(message_id="1", body=body)) for body in queue.bodies]


def read_ids(queue: FakeQueue) -> list[list[str]]:
    events = [json.loads(body) for body in queue.bodies]
    return [[one["Id"] for one in event["detail"]["findings"]] for event in events]


def sweep_ids(*pages: Sequence[Finding | EventError]) -> list[list[str]]:
    """Return the finding ids of each message that a sweep of these pages sends."""
    queue = FakeQueue()
    sweep(FakeFindingSearch(*pages), queue)
    return read_ids(queue)


def test_message_for_each_account(read_metrics: ReadMetrics) -> None:
    """Each account's findings share a message, and it is counted how much there was."""
    theirs = make_findings(3, AwsAccountId=OTHER_ACCOUNT)
    search = FakeFindingSearch([*theirs, *make_findings(1)], make_findings(2))
    queue = FakeQueue()

    assert sweep(search, queue) == {"accounts": 2, "findings": 3, "messages": 2}

    assert read_ids(queue) == [["finding/1", "finding/2"], ["finding/3"]]
    assert read_metrics() == {
        "SweptAccounts (Count)": 2,
        "SweptFindings (Count)": 3,
        "SweptMessages (Count)": 2,
    }


def test_envelope() -> None:
    """A message says in which Region it was swept, by which account, and when."""
    queue = FakeQueue()
    sweep(FakeFindingSearch(make_findings(1, AwsAccountId=OTHER_ACCOUNT)), queue)
    [event] = read_events(queue)
    assert event.region == "eu-west-1"
    [body] = queue.bodies
    assert f'"account": "{OWN_ACCOUNT}"' in body
    assert f'"time": "{NOW:%Y-%m-%dT%H:%M:%SZ}"' in body


def test_many_findings_of_an_account() -> None:
    """What does not fit into one message goes in several, and all are counted."""
    long = {f"field-{number}": "x" * 1024 for number in range(40)}
    queue = FakeQueue()

    counts = sweep(FakeFindingSearch(make_findings(*range(20), UserDefinedFields=long)), queue)

    assert counts == {"accounts": 1, "findings": 20, "messages": len(queue.bodies)}
    assert len(queue.bodies) > 1


def test_finding_on_two_pages() -> None:
    """A finding that moved between pages while they were read is sent once."""
    assert sweep_ids(make_findings(1, 2), make_findings(2, 3)) == [
        ["finding/1", "finding/2", "finding/3"]
    ]


def test_finding_that_is_not_open() -> None:
    """What Security Hub shows although it is nobody's business here is not sent."""
    theirs = make_findings(1, Workflow={"Status": "NOTIFIED"})
    assert sweep_ids([*theirs, *make_findings(2)]) == [["finding/2"]]


def test_finding_that_is_not_understood(read_log: ReadLog, read_metrics: ReadMetrics) -> None:
    """It is counted and logged, and all others are sent."""
    error = EventError("CreatedAt: is missing")

    assert sweep_ids([*make_findings(1), error, *make_findings(2)]) == [["finding/1", "finding/2"]]

    assert read_metrics()["InvalidRecords (Count)"] == 1
    [line] = [line for line in read_log() if line["level"] == "ERROR"]
    assert line["reason"] == "CreatedAt: is missing"


@pytest.mark.parametrize(("role", "account_id"), [(None, OWN_ACCOUNT), ("iam26-member", None)])
def test_scope(role: str | None, account_id: str | None) -> None:
    """Where no other account is in scope, only our own findings are asked for."""
    search = FakeFindingSearch(make_findings(1))
    sweep(search, FakeQueue(), member_role_name=role)
    assert search.searches == [account_id]


def test_nothing_is_open(read_log: ReadLog, read_metrics: ReadMetrics) -> None:
    """A sweep that finds nothing sends nothing, and says so."""
    queue = FakeQueue()
    nothing = {"accounts": 0, "findings": 0, "messages": 0}
    assert sweep(FakeFindingSearch([]), queue) == nothing
    assert queue.bodies == []
    assert set(read_metrics().values()) == {0}
    [line] = read_log()
    assert line.items() >= nothing.items()


@pytest.mark.parametrize("error", [DENIED, TransientError("throttled")])
def test_account_that_cannot_be_sent(
    error: Exception, read_log: ReadLog, read_metrics: ReadMetrics
) -> None:
    """The others are sent and counted, and then the sweep fails with its error."""
    search = FakeFindingSearch(
        [*make_findings(1), *make_findings(2, AwsAccountId=OTHER_ACCOUNT)],
    )
    queue = FakeQueue()
    queue.fail("SendMessage", error)

    with pytest.raises(type(error)) as caught:
        sweep(search, queue)

    assert caught.value is error
    assert read_ids(queue) == [["finding/2"]]
    assert read_metrics()["SweptMessages (Count)"] == 1
    [line] = [line for line in read_log() if line["level"] == "ERROR"]
    assert (line["accountId"], line["reason"]) == (OWN_ACCOUNT, str(error))


def test_first_error_counts() -> None:
    """Where several accounts cannot be sent, the sweep fails with the first error."""
    search = FakeFindingSearch(
        [*make_findings(1), *make_findings(2, AwsAccountId=OTHER_ACCOUNT)],
    )
    queue = FakeQueue()
    queue.fail("SendMessage", DENIED, TransientError("throttled"))

    with pytest.raises(AwsCallError):
        sweep(search, queue)


@pytest.mark.parametrize("error", [AwsCallError("GetFindings", "AccessDenied"), RuntimeError()])
def test_search_fails(error: Exception) -> None:
    """Half a search sends nothing: the next sweep finds all of it."""
    search, queue = FakeFindingSearch(make_findings(1)), FakeQueue()
    search.fail("GetFindings", error)

    with pytest.raises(type(error)):
        sweep(search, queue)

    assert queue.bodies == []


def make_closed(number: int, closed_ago: timedelta) -> Finding:
    """Return the finding of a certificate that was deleted so long before `NOW`."""
    ours = {"iam26Outcome": "deleted", "iam26CheckedAt": (NOW - closed_ago).isoformat()}
    [finding] = make_findings(number, Workflow={"Status": "RESOLVED"}, UserDefinedFields=ours)
    return finding


def test_digest() -> None:
    """After the messages, one message tells how all that was found stands, closed or open."""
    topic, queue = FakeNotifications(), FakeQueue()
    closed = make_closed(2, timedelta(hours=3))

    sweep(FakeFindingSearch([*make_findings(1), closed]), queue, topic)

    [digest] = topic.published
    assert (digest.outcome, digest.account_id) == ("digest", OWN_ACCOUNT)
    assert digest.subject == "IAM.26: 1 deleted, 1 to be examined"
    assert read_ids(queue) == [["finding/1"]]


@pytest.mark.parametrize(
    ("schedule", "closed_ago", "is_told"),
    [
        ("rate(1 day)", timedelta(hours=23, minutes=59), True),
        # A little late is not too late.
        ("rate(1 day)", timedelta(days=1, minutes=15), True),
        ("rate(1 day)", timedelta(days=1, minutes=16), False),
        ("rate(12 hours)", timedelta(hours=13), False),
        ("rate(2 days)", timedelta(hours=47), True),
    ],
)
def test_digest_tells_what_was_deleted_since_the_last_one(
    schedule: str, closed_ago: timedelta, *, is_told: bool
) -> None:
    """A deletion is told by the sweep that follows it, and not again."""
    topic = FakeNotifications()

    sweep(
        FakeFindingSearch([make_closed(1, closed_ago)]),
        FakeQueue(),
        topic,
        schedule=schedule,
    )

    assert len(topic.published) == is_told


def test_nothing_to_tell() -> None:
    """Where there is nothing, nobody is told."""
    topic = FakeNotifications()
    sweep(FakeFindingSearch([]), FakeQueue(), topic)
    assert topic.calls == []


@pytest.mark.parametrize(
    "error", [AwsCallError("Publish", "AuthorizationError"), TransientError("throttled")]
)
def test_digest_that_fails(error: Exception, read_log: ReadLog, read_metrics: ReadMetrics) -> None:
    """It is logged and counted, and the sweep does not fail for it."""
    topic = FakeNotifications()
    topic.fail("Publish", error)

    swept = sweep(FakeFindingSearch(make_findings(1)), FakeQueue(), topic)

    assert swept == {"accounts": 1, "findings": 1, "messages": 1}
    assert read_metrics()["FailedNotifications (Count)"] == 1
    [line] = [line for line in read_log() if line["level"] == "ERROR"]
    assert line["message"] == "notification was not published"
    assert (line["accountId"], line["outcome"]) == (OWN_ACCOUNT, "digest")
    assert line["reason"] == str(error)


def test_digest_although_an_account_was_not_sent() -> None:
    """What the findings say is told even if some of them could not be put on the queue."""
    topic, queue = FakeNotifications(), FakeQueue()
    queue.fail("SendMessage", DENIED)

    with pytest.raises(AwsCallError):
        sweep(FakeFindingSearch(make_findings(1)), queue, topic)

    assert [one.outcome for one in topic.published] == ["digest"]


def test_refuses_where_a_person_approves(read_log: ReadLog, read_metrics: ReadMetrics) -> None:
    """Started by hand although automatic remediation is off, it does nothing and says why."""
    search, queue, topic = FakeFindingSearch(make_findings(1)), FakeQueue(), FakeNotifications()

    swept = sweep(search, queue, topic, auto_remediation=AutoRemediation.DISABLED)

    reason = swept.pop("refused")
    assert "AUTO_REMEDIATION is Disabled" in reason
    assert swept == {"accounts": 0, "findings": 0, "messages": 0}
    assert (search.searches, queue.bodies, topic.published) == ([], [], [])
    # Nothing was counted, so nothing is measured: zero would say that nothing is open.
    assert read_metrics() == {}
    [line] = read_log()
    assert (line["level"], line["reason"]) == ("WARNING", reason)
