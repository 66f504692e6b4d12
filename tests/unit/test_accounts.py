"""Accounts side by side: none waits for, hides or harms another."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from handlers.remediation.batch import ACCOUNTS_AT_ONCE
from handlers.remediation.cases import Arrival, Handled, Postponed, Results
from handlers.remediation.deadline import Deadline
from models.certificate import ServerCertificate
from models.errors import TransientError
from models.finding import Finding, FindingKey, Resource
from models.outcome import Outcome
from tests.builders import NOW, make_arn, make_finding
from tests.fakes import FakeAccount, World

PATIENCE_SECONDS = 10
ACCOUNTS = tuple(f"{number:012}" for number in range(1, ACCOUNTS_AT_ONCE + 1))


@pytest.fixture
def world() -> World:
    """As many accounts as are worked on at once, each with an unused expired certificate."""
    world = World()
    world.accounts.others_in_scope = True
    for account_id in ACCOUNTS:
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
    return world


def make_finding_of(account_id: str) -> Finding:
    return make_finding(Id=f"finding/{account_id}", AwsAccountId=account_id).model_copy(
        update={"resources": (Resource(id=make_arn("web", path="/", account_id=account_id)),)}
    )


def key_of(account_id: str) -> FindingKey:
    return make_finding_of(account_id).key


def run(world: World, account_ids: Sequence[str] = ACCOUNTS) -> Results:
    arrivals = [Arrival(make_finding_of(one), "us-east-1", f"event-{one}") for one in account_ids]
    return world.remediation.run(arrivals, Deadline())


def outcome_of(results: Results, account_id: str) -> Outcome | None:
    result = results[key_of(account_id)]
    return result.report.outcome if isinstance(result, Handled) else None


def test_are_scanned_at_once(world: World) -> None:
    """No scan waits until another account's is done."""
    everybody = threading.Barrier(len(ACCOUNTS))

    def meet() -> None:
        everybody.wait(PATIENCE_SECONDS)

    for account_id in ACCOUNTS:
        world.accounts.known[account_id].before["scan"] = meet

    results = run(world)

    assert {outcome_of(results, one) for one in ACCOUNTS} == {Outcome.DELETED}


def test_are_reported_as_they_are_done(world: World) -> None:
    """A finding tells what came of it while another account is still being scanned."""
    slow, *quick = ACCOUNTS
    reported = threading.Event()

    def wait_for_the_others() -> None:
        assert reported.wait(PATIENCE_SECONDS)

    def notice() -> None:
        if len(world.security_hub.notes) == len(quick) - 1:
            reported.set()
        else:
            world.security_hub.before["BatchUpdateFindings"] = notice

    world.accounts.known[slow].before["scan"] = wait_for_the_others
    world.security_hub.before["BatchUpdateFindings"] = notice

    results = run(world)

    assert {outcome_of(results, one) for one in ACCOUNTS} == {Outcome.DELETED}
    assert list(world.security_hub.notes)[-1] == key_of(slow)


@pytest.mark.parametrize("error", [TransientError("throttled"), RuntimeError("a defect")])
def test_failing_one_is_retried_alone(world: World, error: Exception) -> None:
    """What one account cannot answer sends its findings back, and no others."""
    failing, *others = ACCOUNTS
    world.accounts.known[failing].fail("scan", error)

    results = run(world)

    assert isinstance(results[key_of(failing)], Postponed)
    assert {outcome_of(results, one) for one in others} == {Outcome.DELETED}
    assert list(world.accounts.known[failing].certificates.stored) == ["web"]


def test_missing_role_is_unverified_there_alone(world: World) -> None:
    """An account that cannot be entered keeps its certificates, and says what to deploy."""
    missing, *others = ACCOUNTS
    account = world.accounts.known.pop(missing)

    results = run(world)

    assert outcome_of(results, missing) is Outcome.UNVERIFIED
    assert "deploy/member-role.yaml" in world.security_hub.notes[key_of(missing)]
    assert list(account.certificates.stored) == ["web"]
    assert {outcome_of(results, one) for one in others} == {Outcome.DELETED}


def test_one_is_not_begun_without_time(world: World) -> None:
    """With no time left nothing is begun, and everything is retried whole."""
    arrivals = [Arrival(make_finding_of(one), "us-east-1", "event") for one in ACCOUNTS]

    results = world.remediation.run(arrivals, Deadline(0.0))

    assert all(isinstance(one, Postponed) for one in results.values())
    assert not any("AssumeRole" in one for one in world.accounts.calls)
    assert world.security_hub.updates == []
