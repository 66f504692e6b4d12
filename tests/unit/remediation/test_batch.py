"""A batch: what is not ours is refused, and accounts are worked on side by side."""

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.remediation.batch import ACCOUNTS_AT_ONCE
from handlers.remediation.cases import Handled, Postponed, Results
from handlers.remediation.deadline import Deadline
from models.certificate import ServerCertificate
from models.errors import AwsCallError, EventError, TransientError
from models.events import EntryPoint
from models.finding import Finding, FindingKey, Resource, Stranger, Workflow, WorkflowStatus
from models.outcome import Outcome
from models.reference import Gap
from models.settings import Mode, Settings
from tests.builders import NOW, OTHER_ACCOUNT, make_arn, make_finding, make_reference
from tests.fakes import FakeAccount, World, make_arrival, read_outcomes
from tests.unit.remediation.conftest import ReadLog, ReadMetrics

PATIENCE_SECONDS = 10
ACCOUNTS = tuple(f"{number:012}" for number in range(1, ACCOUNTS_AT_ONCE + 1))


def add_account(world: World, account_id: str) -> str:
    """Put an account in scope, with an unused expired certificate and a finding about it."""
    account = FakeAccount(account_id, world.clock)
    account.certificates.put(
        ServerCertificate(
            name="web",
            id=f"ASCA{account_id}0000",
            arn=make_arn("web", path="/", account_id=account_id),
            expiration=NOW - timedelta(days=30),
        )
    )
    world.accounts.known[account_id] = account
    world.security_hub.put(make_finding_of(account_id))
    return account_id


@pytest.fixture
def organization() -> World:
    """As many accounts as are worked on at once, each with an unused expired certificate."""
    world = World()
    world.accounts.others_in_scope = True
    for account_id in ACCOUNTS:
        add_account(world, account_id)
    return world


def make_finding_of(account_id: str) -> Finding:
    return make_finding(Id=f"finding/{account_id}", AwsAccountId=account_id).model_copy(
        update={"resources": (Resource(id=make_arn("web", path="/", account_id=account_id)),)}
    )


def key_of(account_id: str) -> FindingKey:
    return make_finding_of(account_id).key


def run_all(world: World, account_ids: Sequence[str] = ACCOUNTS) -> Results:
    arrivals = [make_arrival(make_finding_of(one), event_id=f"event-{one}") for one in account_ids]
    return world.remediation.run(arrivals, Deadline())


def outcome_of(results: Results, account_id: str) -> Outcome | None:
    result = results[key_of(account_id)]
    return result.report.outcome if isinstance(result, Handled) else None


class TestRefused:
    """What is not ours to touch."""

    @pytest.mark.parametrize(
        "fields",
        [
            {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.1"}},
            {"ProductArn": "arn:aws:securityhub:us-east-1::product/acme/scanner"},
            {"AwsAccountId": OTHER_ACCOUNT},
        ],
        ids=["control", "product", "account"],
    )
    def test_foreign(self, world: World, fields: dict[str, Any]) -> None:
        """A finding of another control, product or account is refused before it is looked up."""
        arrival = world.add_finding(world.add_expired().arn, **fields)

        results = world.run(arrival)

        assert read_outcomes(results) == {"finding/1": "refused"}
        assert world.security_hub.calls == []
        assert len(world.certificates.stored) == 1

    def test_account_out_of_scope_is_named(self, world: World) -> None:
        """The reason names the account and the setting that would bring it into scope."""
        arrival = world.add_finding(make_arn(), AwsAccountId=OTHER_ACCOUNT)

        result = world.run(arrival)[arrival.finding.key]

        assert isinstance(result, Handled)
        assert OTHER_ACCOUNT in result.report.conclusion.note
        assert "MEMBER_ROLE_NAME" in result.report.conclusion.note

    @pytest.mark.parametrize(
        "fields",
        [
            {"Compliance": {"Status": "PASSED", "SecurityControlId": "IAM.26"}},
            {"RecordState": "ARCHIVED"},
            {"Workflow": {"Status": "SUPPRESSED"}},
            {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.1"}},
        ],
        ids=["passed", "archived", "suppressed", "control"],
    )
    def test_settled_meanwhile(self, world: World, fields: dict[str, Any]) -> None:
        """A finding is judged as it is now, not as it was when its message was sent."""
        certificate = world.add_expired()
        arrival = world.add_finding(certificate.arn)
        raw = {"Id": "finding/1", "Resources": [{"Id": certificate.arn}]}
        world.security_hub.put(make_finding(**raw | fields))

        results = world.run(arrival)

        assert read_outcomes(results) == {"finding/1": "refused"}
        assert len(world.certificates.stored) == 1
        assert world.security_hub.updates == []

    @pytest.mark.parametrize("entry_point", [EntryPoint.IMPORTED, EntryPoint.SWEEP])
    @pytest.mark.parametrize("status", ["NOTIFIED", "RESOLVED"])
    def test_taken_meanwhile(self, world: World, entry_point: EntryPoint, status: str) -> None:
        """What somebody else took or closed while its message waited is left alone."""
        certificate = world.add_expired()
        arrival = replace(world.add_finding(certificate.arn), entry_point=entry_point)
        raw = {"Id": "finding/1", "Resources": [{"Id": certificate.arn}]}
        world.security_hub.put(make_finding(**raw, Workflow={"Status": status}))

        results = world.run(arrival)

        assert read_outcomes(results) == {"finding/1": "refused"}
        assert len(world.certificates.stored) == 1
        assert world.security_hub.updates == []

    @pytest.mark.parametrize("status", ["NOTIFIED", "RESOLVED"])
    def test_person_asks_for_a_taken_one(self, world: World, status: str) -> None:
        """From the custom action it is worked on, for a person asks for it."""
        arrival = world.add_finding(world.add_expired().arn, Workflow={"Status": status})

        results = world.run(replace(arrival, entry_point=EntryPoint.CUSTOM_ACTION))

        assert read_outcomes(results) == {"finding/1": "deleted"}

    def test_person_asks_for_a_suppressed_one(self, world: World) -> None:
        """An accepted risk is left alone even then."""
        arrival = world.add_finding(world.add_expired().arn, Workflow={"Status": "SUPPRESSED"})

        results = world.run(replace(arrival, entry_point=EntryPoint.CUSTOM_ACTION))

        assert read_outcomes(results) == {"finding/1": "refused"}

    def test_taken_before_and_given_back(self, world: World) -> None:
        """Whether somebody else has the finding is judged as it is now, not as it came."""
        arrival = world.add_finding(world.add_expired().arn)
        taken = arrival.finding.model_copy(
            update={"workflow": Workflow(status=WorkflowStatus.RESOLVED)}
        )

        results = world.run(replace(arrival, finding=taken))

        assert read_outcomes(results) == {"finding/1": "deleted"}

    def test_open_again_meanwhile(self, world: World) -> None:
        """A finding that was suppressed when its message was sent, and is not now, is worked on."""
        arrival = world.add_finding(world.add_expired().arn)
        suppressed = arrival.finding.model_copy(
            update={"workflow": Workflow(status=WorkflowStatus.SUPPRESSED)}
        )

        results = world.run(replace(arrival, finding=suppressed))

        assert read_outcomes(results) == {"finding/1": "deleted"}

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (TransientError("throttled"), "postponed"),
            (AwsCallError("GetCallerIdentity", "AccessDenied"), "unverified"),
        ],
    )
    def test_scope_is_not_known(self, world: World, error: Exception, outcome: str) -> None:
        """A finding whose account's scope cannot be told does not stand against another."""
        arrivals = [world.add_finding(world.add_expired(f"web-{n}", number=n).arn) for n in (1, 2)]
        world.accounts.fail("GetCallerIdentity", error)

        results = world.run(*arrivals)

        assert read_outcomes(results) == {"finding/1": outcome, "finding/2": "deleted"}


class TestRefreshed:
    """Decisions rest on findings as Security Hub has them now."""

    def test_is_asked_once(self, world: World) -> None:
        """Security Hub is asked for all findings of the batch together."""
        arrivals = [world.add_finding(make_arn(f"gone-{n}")) for n in range(3)]

        world.run(*arrivals)

        assert world.security_hub.reads == [[one.finding.key for one in arrivals]]

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (TransientError("throttled"), "postponed"),
            (RuntimeError("a defect"), "postponed"),
            (AwsCallError("GetFindings", "AccessDenied"), "unverified"),
        ],
    )
    def test_cannot_be_read(self, world: World, error: Exception, outcome: str) -> None:
        """Where Security Hub cannot be read nothing is worked on."""
        arrivals = [world.add_finding(world.add_expired(f"web-{n}", number=n).arn) for n in (1, 2)]
        world.security_hub.fail("GetFindings", error)

        results = world.run(*arrivals)

        assert read_outcomes(results) == {"finding/1": outcome, "finding/2": outcome}
        assert world.certificates.deleted == []

    def test_is_not_understood(self, world: World) -> None:
        """A finding that Security Hub shows in an unknown form is retried, and no other."""
        arrivals = [world.add_finding(world.add_expired(f"web-{n}", number=n).arn) for n in (1, 2)]
        error = EventError("CreatedAt: is missing")
        world.security_hub.unreadable[arrivals[0].finding.key] = error

        results = world.run(*arrivals)

        assert results[arrivals[0].finding.key] == Postponed(error)
        assert read_outcomes(results) == {"finding/1": "postponed", "finding/2": "deleted"}

    def test_is_another_control_now(self, world: World) -> None:
        """One that it shows in an unknown form, but of another control, is refused."""
        arrival = world.add_finding(world.add_expired().arn)
        key = arrival.finding.key
        world.security_hub.strangers[key] = Stranger(
            trait="the finding is of control EC2.1",
            id=key.id,
            product_arn=key.product_arn,
            account_id=None,
            workflow_status="TRIAGED",
        )

        results = world.run(arrival)

        assert read_outcomes(results) == {"finding/1": "refused"}
        assert world.certificates.deleted == []

    @pytest.mark.parametrize("mode", Mode)
    def test_is_not_there_by_the_queue(self, world: World, mode: Mode) -> None:
        """A finding that Security Hub does not have is retried: it may not show yet."""
        world.settings = Settings(mode=mode, archive_bucket="archive")
        arrival = make_arrival(make_finding(Id="finding/9"))
        other = world.add_finding(world.add_expired().arn)

        results = world.run(arrival, other)

        missing = results[arrival.finding.key]
        assert isinstance(missing, Postponed)
        assert isinstance(missing.error, TransientError)
        assert "finding/9" in str(missing.error)
        assert isinstance(results[other.finding.key], Handled)

    @pytest.mark.parametrize("entry_point", EntryPoint)
    def test_is_not_there_and_bare(self, world: World, entry_point: EntryPoint) -> None:
        """In a bare event it is not believed, and nothing is deleted."""
        finding = make_finding(Id="finding/9", Resources=[{"Id": world.add_expired().arn}])
        arrival = make_arrival(finding, is_queued=False, entry_point=entry_point)

        result = world.run(arrival)[finding.key]

        assert isinstance(result, Handled)
        assert result.report.outcome is Outcome.UNVERIFIED
        assert "no finding finding/9" in result.report.conclusion.note
        assert "MODE=DryRun" in result.report.conclusion.note
        assert world.certificates.deleted == []
        assert world.account.calls == []

    def test_is_of_another_product(self, world: World) -> None:
        """A finding with the same id of another product is not the one that came."""
        certificate = world.add_expired()
        world.add_finding(certificate.arn)
        elsewhere = "arn:aws:securityhub:eu-west-1::product/aws/securityhub"
        claimed = make_finding(
            Id="finding/1", ProductArn=elsewhere, Resources=[{"Id": certificate.arn}]
        )

        results = world.run(make_arrival(claimed, is_queued=False))

        assert read_outcomes(results) == {"finding/1": "unverified"}
        assert world.certificates.deleted == []

    def test_is_not_there_in_a_dry_run(self, world: World) -> None:
        """In a dry run a bare event's finding is taken as it came, so that samples can be tried."""
        world.settings = Settings(mode=Mode.DRY_RUN)
        finding = make_finding(Id="finding/9", Resources=[{"Id": world.add_expired().arn}])

        results = world.run(make_arrival(finding, is_queued=False))

        assert read_outcomes(results) == {"finding/9": "would-delete"}

    def test_is_settled_and_not_there_in_a_dry_run(self, world: World) -> None:
        """What it says of itself holds as it came."""
        world.settings = Settings(mode=Mode.DRY_RUN)
        finding = make_finding(Id="finding/9", Workflow={"Status": "SUPPRESSED"})

        results = world.run(make_arrival(finding, is_queued=False))

        assert read_outcomes(results) == {"finding/9": "refused"}

    def test_keeps_how_it_arrived(self, world: World, read_log: ReadLog) -> None:
        """A finding that was read anew keeps its event."""
        arrival = replace(world.add_finding(world.add_expired().arn), event_id="event-7")

        world.run(arrival)

        [line] = [line for line in read_log() if line["message"] == "certificate"]
        assert line["correlation_id"] == "event-7"


class TestDuplicates:
    """A finding that came more than once is worked on once."""

    def test_first_counts(self, world: World) -> None:
        """What came first is taken, in order, and the finding is written once."""
        one, two = (world.add_finding(make_arn(f"gone-{n}")) for n in range(2))

        results = world.run(one, two, replace(one, event_id="later"), two)

        assert list(results) == [one.finding.key, two.finding.key]
        assert world.security_hub.reads == [[one.finding.key, two.finding.key]]
        assert sum(len(update.findings) for update in world.security_hub.updates) == 2

    def test_person_among_them(self, world: World) -> None:
        """If a person asks for one of them it is worked on, whatever the others are."""
        arrival = world.add_finding(world.add_expired().arn, Workflow={"Status": "NOTIFIED"})
        by_hand = replace(arrival, entry_point=EntryPoint.CUSTOM_ACTION)
        swept = replace(arrival, entry_point=EntryPoint.SWEEP)

        results = world.run(arrival, by_hand, swept)

        assert read_outcomes(results) == {"finding/1": "deleted"}

    def test_no_person_among_them(self, world: World) -> None:
        """If nobody asks it is refused, however often it came."""
        arrival = world.add_finding(world.add_expired().arn, Workflow={"Status": "NOTIFIED"})

        results = world.run(arrival, replace(arrival, entry_point=EntryPoint.SWEEP))

        assert read_outcomes(results) == {"finding/1": "refused"}

    def test_unchanged(self, world: World) -> None:
        """However often it is redelivered, an unchanged outcome notifies nobody."""
        arrival = world.add_finding(world.add_expired().arn)
        world.account.found = [make_reference(make_arn())]
        world.run(arrival)

        for _ in range(2):
            world.run(arrival, arrival)

        assert len(world.notifications.published) == 1
        assert len(world.security_hub.updates) == 1


class TestReported:
    """What came of findings is reported account by account."""

    def test_everything_of_an_account_at_once(self, world: World) -> None:
        """What ended early is told in the same message as what ended in the account."""
        unread = world.add_finding(make_arn("a"))
        denied = world.add_finding(world.add_expired("b").arn)
        world.accounts.fail("GetCallerIdentity", AwsCallError("GetCallerIdentity", "AccessDenied"))
        world.account.gaps = [Gap(source="AppSync", region="eu-west-1", cause="AccessDenied")]

        world.run(unread, denied)

        [message] = world.notifications.published
        assert message.outcome is Outcome.UNVERIFIED
        assert "finding/1" in message.text
        assert "finding/2" in message.text

    @pytest.mark.parametrize("error", [RuntimeError("a defect"), TransientError("throttled")])
    def test_report_fails(self, organization: World, error: Exception) -> None:
        """Findings whose report fails are retried, with the error, and no others."""
        organization.security_hub.fail("BatchUpdateFindings", error)

        results = run_all(organization)

        failed = [one for one in results.values() if isinstance(one, Postponed)]
        assert [one.error for one in failed] == [error]
        assert len(results) == len(ACCOUNTS)

    def test_report_of_what_ended_early_fails(self, world: World) -> None:
        """The same holds where no account was entered."""
        arrival = world.add_finding(make_arn())
        world.security_hub.fail("GetFindings", AwsCallError("GetFindings", "AccessDenied"))
        error = RuntimeError("a defect")
        world.security_hub.fail("BatchUpdateFindings", error)

        assert world.run(arrival) == {arrival.finding.key: Postponed(error)}

    def test_what_ended_early_in_several_accounts(self, organization: World) -> None:
        """Findings of accounts that were never entered all have a result."""
        organization.security_hub.fail("GetFindings", AwsCallError("GetFindings", "AccessDenied"))

        results = run_all(organization)

        assert {outcome_of(results, one) for one in ACCOUNTS} == {Outcome.UNVERIFIED}
        assert not any("AssumeRole" in one for one in organization.accounts.calls)

    def test_scans_are_measured(self, world: World, read_metrics: ReadMetrics) -> None:
        """How long scans took, and the calls that they cost, are metrics."""
        arrival = world.add_finding(world.add_expired().arn)
        world.account.before["scan"] = lambda: world.clock.advance(seconds=7)

        world.run(arrival)

        emitted = read_metrics()
        assert (emitted["ScanDuration (Seconds)"], emitted["ScanCalls (Count)"]) == (7, 3)


class TestSideBySide:
    """Accounts side by side: none waits for, hides or harms another."""

    def test_are_scanned_at_once(self, organization: World) -> None:
        """No scan waits until another account's is done."""
        everybody = threading.Barrier(len(ACCOUNTS))

        def meet() -> None:
            everybody.wait(PATIENCE_SECONDS)

        for account_id in ACCOUNTS:
            organization.accounts.known[account_id].before["scan"] = meet

        results = run_all(organization)

        assert {outcome_of(results, one) for one in ACCOUNTS} == {Outcome.DELETED}

    def test_only_so_many_at_once(self, organization: World) -> None:
        """One account more than are worked on at once waits until another is done."""
        one_more = add_account(organization, "000000000099")
        too_many = threading.Barrier(len(ACCOUNTS) + 1)

        def meet() -> None:
            with contextlib.suppress(threading.BrokenBarrierError):
                too_many.wait(0.2)

        for account_id in (*ACCOUNTS, one_more):
            organization.accounts.known[account_id].before["scan"] = meet

        results = run_all(organization, (*ACCOUNTS, one_more))

        assert too_many.broken
        assert outcome_of(results, one_more) is Outcome.DELETED

    def test_are_reported_as_they_are_done(self, organization: World) -> None:
        """A finding tells what came of it while another account is still being scanned."""
        slow, *quick = ACCOUNTS
        reported = threading.Event()

        def wait_for_the_others() -> None:
            assert reported.wait(PATIENCE_SECONDS)

        def notice() -> None:
            if len(organization.security_hub.notes) == len(quick) - 1:
                reported.set()
            else:
                organization.security_hub.before["BatchUpdateFindings"] = notice

        organization.accounts.known[slow].before["scan"] = wait_for_the_others
        organization.security_hub.before["BatchUpdateFindings"] = notice

        results = run_all(organization)

        assert {outcome_of(results, one) for one in ACCOUNTS} == {Outcome.DELETED}
        assert list(organization.security_hub.notes)[-1] == key_of(slow)

    @pytest.mark.parametrize("error", [TransientError("throttled"), RuntimeError("a defect")])
    def test_failing_one_is_retried_alone(self, organization: World, error: Exception) -> None:
        """What one account cannot answer sends its findings back, and no others."""
        failing, *others = ACCOUNTS
        organization.accounts.known[failing].fail("scan", error)

        results = run_all(organization)

        assert isinstance(results[key_of(failing)], Postponed)
        assert {outcome_of(results, one) for one in others} == {Outcome.DELETED}
        assert list(organization.accounts.known[failing].certificates.stored) == ["web"]

    def test_missing_role_is_unverified_there_alone(self, organization: World) -> None:
        """An account that cannot be entered keeps its certificates, and says what to deploy."""
        missing, *others = ACCOUNTS
        account = organization.accounts.known.pop(missing)

        results = run_all(organization)

        assert outcome_of(results, missing) is Outcome.UNVERIFIED
        assert "deploy/member-role.yaml" in organization.security_hub.notes[key_of(missing)]
        assert list(account.certificates.stored) == ["web"]
        assert {outcome_of(results, one) for one in others} == {Outcome.DELETED}

    def test_one_is_not_begun_without_time(self, organization: World) -> None:
        """With no time left nothing is begun, and everything is retried whole."""
        arrivals = [make_arrival(make_finding_of(one)) for one in ACCOUNTS]

        results = organization.remediation.run(arrivals, Deadline(0.0))

        assert all(isinstance(one, Postponed) for one in results.values())
        assert not any("AssumeRole" in one for one in organization.accounts.calls)
        assert organization.security_hub.updates == []
