"""What the remediation would do: its own examination, of every certificate, and no act after it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from cli.errors import describe_error
from handlers.remediation.deadline import Deadline
from handlers.remediation.examination import Examination, Look
from handlers.remediation.ports import ReadableAccountPort, SuppressionsPort
from models.certificate import CertificateIdentifier, IdentifierKind, ServerCertificate
from models.conclusions import conclude_deletable, conclude_denied, unverified
from models.errors import AwsCallError, CertificateGoneError, TransientError
from models.outcome import Conclusion, Outcome
from models.plan import (
    AccountPlan,
    PlannedCertificate,
    plan_certificate,
    sort_certificates,
)
from models.proof import Candidate, screen_suppressed
from models.reference import GapKind, References
from models.settings import Settings

ACCOUNTS_AT_ONCE = 4

ADVICE = {
    GapKind.DENIED: "Some reads were denied: `iam26 plan --print-policy` prints what they need.",
    GapKind.DENIED_BY_POLICY: "A service control policy denies some reads: leave those Regions out "
    "with --regions, or pass --denied-regions OutOfScope.",
    GapKind.UNKNOWN_REGION: "Correct --regions, or enable the Region.",
    GapKind.REJECTED_CREDENTIALS: "Check that the Region and the service are enabled in the "
    "account, or leave the Region out with --regions.",
}

T = TypeVar("T")
Verdict = Candidate | Conclusion
# A certificate, with what is known of it by itself.
Screened = tuple[ServerCertificate, Verdict]


class AccountsPort(Protocol):
    """The accounts that can be looked at."""

    def open(self, account_id: str) -> ReadableAccountPort:
        """Return an account with credentials of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for accounts.

    Attributes:
        accounts: the accounts that can be looked at.
        findings: the risks that people accepted in Security Hub.
        settings: grace period, exempt tag and scope.
        clock: returns the time in UTC.
    """

    accounts: AccountsPort
    findings: SuppressionsPort
    settings: Settings
    clock: Callable[[], datetime]

    def plan_all(self, account_ids: Sequence[str]) -> list[AccountPlan]:
        """Return the plans for several accounts, in their order; four are looked at at once."""
        pool = ThreadPoolExecutor(ACCOUNTS_AT_ONCE, thread_name_prefix="account")
        try:
            return list(pool.map(self.plan, account_ids))
        finally:
            # Whoever interrupts it does not wait for calls that are under way.
            pool.shutdown(wait=False, cancel_futures=True)

    def plan(self, account_id: str) -> AccountPlan:
        """Return the plan for an account; one that cannot be looked at has its error in it."""
        started_at = self.clock()
        try:
            return self._plan(account_id, started_at)
        except (AwsCallError, TransientError) as error:
            return AccountPlan(
                account=account_id, generated_at=started_at, error=describe_error(error)
            )

    def _plan(self, account_id: str, started_at: datetime) -> AccountPlan:
        account = self.accounts.open(account_id)
        examination = Examination(account, self.findings, self.settings, self.clock, Deadline())
        listed = account.certificates.list_all()
        screened = _drop_accepted(examination, list(_screen_all(examination, listed)))
        look = _attempt(lambda: examination.look(listed))
        if isinstance(look, Conclusion):
            planned = [plan_certificate(one, _prefer(verdict, look)) for one, verdict in screened]
            return AccountPlan(
                account=account_id,
                generated_at=started_at,
                certificates=tuple(sort_certificates(planned)),
                gaps=look.items,
                advice=look.details,
            )
        return AccountPlan(
            account=account_id,
            generated_at=started_at,
            regions=look.references.regions_read,
            regions_out_of_scope=look.references.out_of_scope,
            regions_not_enabled=look.references.regions_not_enabled,
            certificates=tuple(sort_certificates(_decide_all(examination, screened, look))),
            gaps=look.references.missing,
            advice=tuple(_advise(look.references)),
            evidence=look.references.coverage,
        )


def _screen_all(
    examination: Examination, listed: Iterable[ServerCertificate]
) -> Iterator[Screened]:
    """Return what is known of each certificate by itself; one that went meanwhile is left out."""
    for certificate in listed:
        # No finding names it here, so its own id does.
        named = CertificateIdentifier(kind=IdentifierKind.ID, text=certificate.id)
        with suppress(CertificateGoneError):
            yield certificate, _attempt(partial(examination.screen, certificate, named))


def _drop_accepted(examination: Examination, screened: Sequence[Screened]) -> list[Screened]:
    """Return what was screened, with those that are no candidates because somebody suppressed them.

    As for the remediation, Security Hub is asked only if there are candidates.
    """
    if not any(isinstance(verdict, Candidate) for _, verdict in screened):
        return list(screened)
    suppressed = _attempt(examination.list_suppressed)
    if isinstance(suppressed, Conclusion):
        return [(one, _prefer(verdict, suppressed)) for one, verdict in screened]
    return [
        (one, screen_suppressed(one, suppressed) or verdict)
        if isinstance(verdict, Candidate)
        else (one, verdict)
        for one, verdict in screened
    ]


def _decide_all(
    examination: Examination, screened: Iterable[Screened], look: Look
) -> Iterator[PlannedCertificate]:
    for certificate, verdict in screened:
        conclusion = _conclude(examination, verdict, look)
        yield plan_certificate(certificate, conclusion, look.references, look.certificates)


def _conclude(examination: Examination, verdict: Verdict, look: Look) -> Conclusion:
    if isinstance(verdict, Conclusion):
        return verdict
    proven = examination.prove(verdict, look)
    if not isinstance(proven, Conclusion):
        return conclude_deletable(proven.certificate, proven.references, archived_as=None)
    if proven.outcome is Outcome.UNVERIFIED and look.references.gaps:
        return _without_advice(proven)
    return proven


def _prefer(verdict: Verdict, against: Conclusion) -> Conclusion:
    """Return what is known of a certificate by itself, else what stands against all candidates."""
    return verdict if isinstance(verdict, Conclusion) else against


def _attempt(work: Callable[[], T]) -> T | Conclusion:
    """Return what some work returns, or what its error means for a certificate."""
    try:
        return work()
    except AwsCallError as error:
        advice = ADVICE.get(GapKind.of_error(error))
        return conclude_denied(error).model_copy(update={"details": (advice,) if advice else ()})
    except TransientError as error:
        return unverified("Kept: it could not be examined now:", (str(error),))


def _without_advice(conclusion: Conclusion) -> Conclusion:
    """Return a conclusion without its advice, which is for those who deployed the application."""
    return conclusion.model_copy(update={"details": ()})


def _advise(references: References) -> Iterator[str]:
    kinds = {gap.kind for gap in references.gaps}
    yield from (text for kind, text in ADVICE.items() if kind in kinds)
