"""The report: what is written on findings, what people are notified of, and what is counted."""

from dataclasses import replace
from typing import Literal

import pytest

from handlers.remediation.cases import Arrival, Case, Handled, Postponed, Results
from handlers.remediation.report import Reporter, report_stranger
from local.aws.knobs import OWN_ACCOUNT
from models.conclusions import conclude_deletable, conclude_in_use, conclude_refused, conclude_valid
from models.errors import AwsCallError, TransientError
from models.finding import Stranger, WorkflowStatus
from models.outcome import Conclusion, Outcome
from tests.builders import (
    CERTIFICATE_ID,
    OTHER_ACCOUNT,
    make_arn,
    make_certificate,
    make_references,
)
from tests.fakes import World, read_outcomes
from tests.unit.remediation.conftest import ReadLog, ReadMetrics

DELETED = conclude_deletable(make_certificate(), make_references(), archived_as="s3://archive/1")
IN_USE = conclude_in_use(make_certificate(), ["edge:443"], "examined a lot")
VALID = conclude_valid(make_certificate())
REFUSED = conclude_refused("it is a test")


def report(world: World, *cases: Case) -> Results:
    reporter = Reporter(world.security_hub, world.notifications, world.clock)
    return reporter.report(cases)


def close(
    conclusion: Conclusion, *arrivals: Arrival, arn: str = "", deleted_now: bool = False
) -> Case:
    """Return the case of findings that came to a conclusion."""
    return Case(arrivals, conclusion, arn or make_arn(), CERTIFICATE_ID, deleted_now)


def refresh(world: World, arrival: Arrival) -> Arrival:
    """Return a finding as Security Hub has it now, arriving again."""
    return replace(arrival, finding=world.security_hub.stored[arrival.finding.key])


@pytest.fixture
def arrival(world: World) -> Arrival:
    """Return the arrival of a new finding."""
    return world.add_finding(make_arn())


class KilledError(BaseException):
    """The process is gone: nothing below may catch this."""


class TestFinding:
    """What is written on the finding."""

    def test_says_what_came_of_it(self, world: World, arrival: Arrival) -> None:
        """Note, fields and status are written, and the result has the status afterwards."""
        results = report(world, close(DELETED, arrival))

        key = arrival.finding.key
        now = world.security_hub.stored[key]
        assert world.security_hub.notes[key] == DELETED.note
        assert now.workflow.status is WorkflowStatus.RESOLVED
        assert now.user_defined_fields == {
            "iam26Outcome": "deleted",
            "iam26Certificate": make_arn(),
            "iam26CertificateId": CERTIFICATE_ID,
            "iam26CheckedAt": "2026-11-20T06:00:00Z",
            "iam26References": DELETED.examined,
        }
        result = results[key]
        assert isinstance(result, Handled)
        assert result.status is WorkflowStatus.RESOLVED
        assert result.report.account_id == OWN_ACCOUNT
        assert result.report.conclusion == DELETED

    def test_certificate_without_arn(self, world: World) -> None:
        """Where there is no ARN, what the finding names is written, or that it names nothing."""
        named, unnamed = world.add_finding("a name"), world.add_finding("", Resources=[])

        report(world, Case((named,), IN_USE), Case((unnamed,), IN_USE))

        written = [
            world.security_hub.stored[one.finding.key].user_defined_fields["iam26Certificate"]
            for one in (named, unnamed)
        ]
        assert written == ["a name", "none"]

    def test_fields_of_others_stay(self, world: World) -> None:
        """What others wrote on the finding stays beside ours."""
        arrival = world.add_finding(make_arn(), UserDefinedFields={"ticket": "SEC-1"})

        report(world, close(DELETED, arrival))

        fields = world.security_hub.stored[arrival.finding.key].user_defined_fields
        assert fields["ticket"] == "SEC-1"
        assert len(fields) == 6

    def test_same_content_is_one_update(self, world: World) -> None:
        """Findings that get the same are written together, and others apart."""
        one, two = world.add_finding(make_arn()), world.add_finding(make_arn())
        ticket = world.add_finding(make_arn(), UserDefinedFields={"ticket": "SEC-1"})

        report(world, close(DELETED, one, two, ticket))

        written = [[key.id for key in update.findings] for update in world.security_hub.updates]
        assert written == [["finding/1", "finding/2"], ["finding/3"]]

    def test_refused(self, world: World, arrival: Arrival) -> None:
        """A refused finding is not touched, and its result has the status that it has."""
        other = world.add_finding(make_arn())

        results = report(world, close(REFUSED, arrival), close(VALID, other))

        [update] = world.security_hub.updates
        assert update.findings == (other.finding.key,)
        result = results[arrival.finding.key]
        assert isinstance(result, Handled)
        assert result.status is WorkflowStatus.NEW

    def test_unchanged(self, world: World, arrival: Arrival) -> None:
        """What the finding says already is not written, and nobody is notified again."""
        other = world.add_finding(make_arn())
        report(world, close(IN_USE, arrival))

        results = report(world, close(IN_USE, refresh(world, arrival)), close(VALID, other))

        assert [one.findings[0].id for one in world.security_hub.updates] == [
            "finding/1",
            "finding/2",
        ]
        assert len(world.notifications.published) == 1
        result = results[arrival.finding.key]
        assert isinstance(result, Handled)
        assert result.status is WorkflowStatus.NOTIFIED

    def test_status_was_set_back(self, world: World) -> None:
        """If the status alone differs it is written again, and nobody is notified."""
        written = {"iam26Outcome": "deleted", "iam26CertificateId": CERTIFICATE_ID}
        arrival = world.add_finding(make_arn(), UserDefinedFields=written)

        report(world, close(DELETED, arrival))

        assert (
            world.security_hub.stored[arrival.finding.key].workflow.status
            is WorkflowStatus.RESOLVED
        )
        assert world.notifications.published == []

    def test_rejected(
        self, world: World, arrival: Arrival, read_log: ReadLog, read_metrics: ReadMetrics
    ) -> None:
        """An update that Security Hub refuses is counted, and the outcome stands."""
        world.security_hub.rejected[arrival.finding.key] = "InvalidInput"

        results = report(world, close(DELETED, arrival))

        result = results[arrival.finding.key]
        assert isinstance(result, Handled)
        assert result.status is WorkflowStatus.NEW
        assert len(world.notifications.published) == 1
        assert read_metrics() == {"RejectedFindingUpdates (Count)": 1, "deleted (Count)": 1}
        [line] = [line for line in read_log() if line["level"] == "ERROR"]
        assert (line["findingId"], line["reason"]) == ("finding/1", "InvalidInput")

    def test_cannot_be_written_now(
        self, world: World, arrival: Arrival, read_log: ReadLog, read_metrics: ReadMetrics
    ) -> None:
        """A finding that Security Hub could not update is retried, but told; others are done."""
        other = world.add_finding(make_arn("other"))
        world.security_hub.postponed[arrival.finding.key] = "InternalFailure"

        results = report(world, close(DELETED, arrival), close(VALID, other))

        assert read_outcomes(results) == {"finding/1": "postponed", "finding/2": "not-expired"}
        result = results[arrival.finding.key]
        assert isinstance(result, Postponed)
        assert isinstance(result.error, TransientError)
        assert str(result.error) == "InternalFailure"
        assert read_metrics() == {"PostponedFindings (Count)": 1, "not-expired (Count)": 1}
        [line] = [line for line in read_log() if line["level"] == "ERROR"]
        assert (line["findingId"], line["reason"]) == ("finding/1", "InternalFailure")
        assert [one.outcome for one in world.notifications.published] == [Outcome.DELETED]

    def test_each_update_counts(self, world: World) -> None:
        """What one update could not do is not forgotten after the next."""
        one, two = world.add_finding(make_arn("1")), world.add_finding(make_arn("2"))
        rejected = world.add_finding(make_arn("3"))
        fine = world.add_finding(make_arn("4"))
        world.security_hub.postponed = {one.finding.key: "a", two.finding.key: "b"}
        world.security_hub.rejected[rejected.finding.key] = "InvalidInput"

        cases = [
            close(VALID, arrival, arn=f"arn:{arrival.finding.id}")
            for arrival in (rejected, one, two, fine)
        ]
        results = report(world, *cases)

        assert read_outcomes(results) == {
            "finding/3": "not-expired",
            "finding/1": "postponed",
            "finding/2": "postponed",
            "finding/4": "not-expired",
        }
        statuses = {k.id: r.status for k, r in results.items() if isinstance(r, Handled)}
        assert statuses == {"finding/3": WorkflowStatus.NEW, "finding/4": WorkflowStatus.NOTIFIED}


class TestPostponed:
    """What has no conclusion yet."""

    def test_is_left_alone(
        self, world: World, read_log: ReadLog, read_metrics: ReadMetrics
    ) -> None:
        """Its findings are not touched, nobody is notified, and they are counted and logged."""
        arrivals = (world.add_finding(make_arn()), world.add_finding(make_arn()))
        other = world.add_finding(make_arn("other"))
        postponed = Postponed(TransientError("throttled"))

        results = report(world, Case(arrivals, postponed), close(VALID, other))

        assert [results[one.finding.key] for one in arrivals] == [postponed, postponed]
        assert list(world.security_hub.notes) == [other.finding.key]
        assert read_metrics() == {"PostponedFindings (Count)": 2, "not-expired (Count)": 1}
        [line] = [line for line in read_log() if line["level"] == "WARNING"]
        assert line["reason"] == "throttled"
        assert line["findingIds"] == ["finding/1", "finding/2"]
        assert line["correlation_id"] == "event-1"


class TestNotification:
    """What people are told."""

    def test_one_for_an_account_and_outcome(self, world: World) -> None:
        """Certificates with the same outcome share a message, which names all their findings."""
        arrivals = [world.add_finding(make_arn(f"web-{n}")) for n in range(4)]
        first, twin, second, third = arrivals

        report(
            world,
            close(DELETED, first, twin, arn="arn:first"),
            close(IN_USE, third, arn="arn:third"),
            close(DELETED, second, arn="arn:second"),
        )

        told = {message.outcome: message for message in world.notifications.published}
        assert len(world.notifications.published) == 2
        assert {message.account_id for message in told.values()} == {OWN_ACCOUNT}
        deleted, in_use = told[Outcome.DELETED].text, told[Outcome.IN_USE].text
        assert all(part in deleted for part in ("finding/1", "finding/2", "finding/3"))
        assert deleted.count("- arn:first\n") == deleted.count("- arn:second\n") == 1
        assert "arn:third" not in deleted
        assert "- arn:third\n" in in_use
        assert "finding/4" in in_use
        assert "finding/3" not in in_use

    def test_each_account_has_its_own(self, world: World) -> None:
        """Certificates of two accounts are never in one message."""
        ours = world.add_finding(make_arn())
        theirs = world.add_finding(make_arn(), AwsAccountId=OTHER_ACCOUNT)

        report(world, close(DELETED, ours), close(DELETED, theirs))

        assert [message.account_id for message in world.notifications.published] == [
            OWN_ACCOUNT,
            OTHER_ACCOUNT,
        ]

    @pytest.mark.parametrize("conclusion", [VALID, REFUSED])
    def test_nobody_needs_to_know(
        self, world: World, arrival: Arrival, conclusion: Conclusion
    ) -> None:
        """What asks nothing of anybody is not told."""
        report(world, close(conclusion, arrival))
        assert world.notifications.published == []

    def test_comes_before_the_finding(self, world: World, arrival: Arrival) -> None:
        """People are told first, so what is written on a finding was told at least once."""

        def die() -> None:
            raise KilledError

        world.security_hub.before["BatchUpdateFindings"] = die
        with pytest.raises(KilledError):
            report(world, close(IN_USE, arrival))

        report(world, close(IN_USE, refresh(world, arrival)))
        report(world, close(IN_USE, refresh(world, arrival)))

        assert len(world.notifications.published) == 2

    def test_dies_on_the_way(self, world: World, arrival: Arrival) -> None:
        """A finding is not written if the message about it may not have got out."""

        def die() -> None:
            raise KilledError

        world.notifications.before["Publish"] = die
        with pytest.raises(KilledError):
            report(world, close(IN_USE, arrival))

        assert world.security_hub.updates == []

    def test_delete_that_the_finding_says_already(self, world: World) -> None:
        """A delete that was made now is told even if the finding says so of an earlier one."""
        arrival = world.add_finding(make_arn())
        report(world, close(DELETED, arrival, deleted_now=True))

        report(world, close(DELETED, refresh(world, arrival), deleted_now=True))
        report(world, close(DELETED, refresh(world, arrival)))

        assert len(world.notifications.published) == 2
        assert len(world.security_hub.updates) == 1

    @pytest.mark.parametrize("how", ["rejected", "postponed"])
    def test_delete_that_cannot_be_written(
        self, world: World, arrival: Arrival, how: Literal["rejected", "postponed"]
    ) -> None:
        """A delete that was made now is told whether or not the finding can be written."""
        setattr(world.security_hub, how, {arrival.finding.key: "InternalFailure"})

        report(world, close(DELETED, arrival, deleted_now=True))

        [message] = world.notifications.published
        assert message.outcome is Outcome.DELETED

    def test_no_topic(self, world: World, arrival: Arrival) -> None:
        """Without a topic everything else is as it is with one."""
        reporter = Reporter(world.security_hub, None, world.clock)

        results = reporter.report([close(DELETED, arrival)])

        assert read_outcomes(results) == {"finding/1": "deleted"}
        assert world.security_hub.notes == {arrival.finding.key: DELETED.note}

    @pytest.mark.parametrize(
        "error", [AwsCallError("Publish", "AccessDenied"), TransientError("throttled")]
    )
    def test_cannot_be_sent(
        self,
        world: World,
        arrival: Arrival,
        read_log: ReadLog,
        read_metrics: ReadMetrics,
        error: Exception,
    ) -> None:
        """It is counted, the outcome stands, and the other messages are sent."""
        other = world.add_finding(make_arn("other"))
        world.notifications.fail("Publish", error)

        results = report(world, close(DELETED, arrival), close(IN_USE, other))

        assert read_outcomes(results) == {"finding/1": "deleted", "finding/2": "in-use"}
        assert [one.outcome for one in world.notifications.published] == [Outcome.IN_USE]
        assert read_metrics() == {
            "FailedNotifications (Count)": 1,
            "deleted (Count)": 1,
            "in-use (Count)": 1,
        }
        [line] = [line for line in read_log() if line["level"] == "ERROR"]
        assert (line["accountId"], line["outcome"]) == (OWN_ACCOUNT, "deleted")
        assert line["reason"] == str(error)


class TestCounted:
    """Metrics and the log."""

    def test_findings_by_outcome(self, world: World, read_metrics: ReadMetrics) -> None:
        """Each finding counts, whether or not anything is written on it."""
        arrivals = [world.add_finding(make_arn(f"web-{n}")) for n in range(4)]

        report(
            world,
            close(DELETED, *arrivals[:2]),
            close(REFUSED, arrivals[2]),
            close(DELETED, arrivals[3]),
        )

        assert read_metrics() == {"deleted (Count)": 3, "refused (Count)": 1}

    def test_nothing(self, world: World, read_metrics: ReadMetrics) -> None:
        """No cases leave no trace."""
        assert report(world) == {}
        assert read_metrics() == {}

    def test_one_line_for_a_certificate(self, world: World, read_log: ReadLog) -> None:
        """Each certificate has one line with all that is known of it."""
        one, two = world.add_finding(make_arn()), world.add_finding(make_arn())
        again = replace(world.add_finding(make_arn()), event_id=one.event_id)

        report(world, close(IN_USE, two, one, again))

        [line] = read_log()
        assert line["correlation_id"] == "event-2"
        told = {
            "message": "certificate",
            "eventIds": ["event-1", "event-2"],
            "accountId": OWN_ACCOUNT,
            "certificate": make_arn(),
            "certificateId": CERTIFICATE_ID,
            "outcome": "in-use",
            "reason": IN_USE.note,
            "references": ["edge:443"],
            "findingIds": ["finding/2", "finding/1", "finding/3"],
        }
        assert line.items() >= told.items()

    def test_comes_last(self, world: World, arrival: Arrival, read_log: ReadLog) -> None:
        """The line is written when the finding is, so that it is never the only trace."""
        world.security_hub.before["BatchUpdateFindings"] = lambda: lines.extend(read_log())
        lines: list[object] = []

        report(world, close(DELETED, arrival))

        assert lines == []
        assert len(read_log()) == 1

    def test_stranger(self, read_log: ReadLog, read_metrics: ReadMetrics) -> None:
        """A finding that is refused without being understood is counted and logged."""
        stranger = Stranger(
            trait="it is a test",
            id="finding/1",
            product_arn=None,
            account_id=None,
            workflow_status=None,
        )

        report_stranger(stranger, "event-1")

        assert read_metrics() == {"refused (Count)": 1}
        [line] = read_log()
        assert line["correlation_id"] == "event-1"
        told = {
            "outcome": "refused",
            "reason": "Left alone: it is a test.",
            "eventIds": ["event-1"],
            "findingIds": ["finding/1"],
        }
        assert line.items() >= told.items()

    def test_line_without_arn(self, world: World, read_log: ReadLog) -> None:
        """A certificate that is not known is logged as its finding names it."""
        arrival = world.add_finding("a name")
        report(world, Case((arrival,), IN_USE))
        [line] = read_log()
        assert line["certificate"] == "a name"


def test_each_finding_has_a_result(world: World) -> None:
    """Results come for each finding of each case, in their order."""
    arrivals = [world.add_finding(make_arn(f"web-{n}")) for n in range(3)]
    results = report(world, close(VALID, arrivals[2], arrivals[0]), close(DELETED, arrivals[1]))
    assert [key.id for key in results] == ["finding/3", "finding/1", "finding/2"]
