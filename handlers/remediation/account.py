"""What happens in one account: list, group, screen, scan, prove, act."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from handlers.remediation.absence import Absence
from handlers.remediation.cases import (
    Arrival,
    Case,
    Postponed,
    Subject,
    Verdict,
    attempt,
    group_by_certificate,
)
from handlers.remediation.deadline import Deadline
from handlers.remediation.deletion import Deletion
from handlers.remediation.examination import Examination, Look
from handlers.remediation.ports import AccountPort, AccountsPort, ArchivePort, FindingsPort
from models.certificate import ServerCertificate
from models.conclusions import conclude_deletable, conclude_refused
from models.errors import CertificateGoneError, EventError
from models.finding import Finding
from models.outcome import Conclusion
from models.proof import Candidate, Proof, screen_suppressed
from models.reference import References
from models.settings import Mode, Settings

Pair = tuple[Subject, Candidate]


@dataclass(frozen=True, slots=True)
class AccountResult:
    """What came of the findings of one account, and the scans that this took."""

    account_id: str
    cases: Sequence[Case]
    scans: Sequence[References] = ()


@dataclass(frozen=True, slots=True)
class AccountRemediation:
    """Decides and acts on the certificates of one account at a time.

    Attributes:
        accounts: the accounts that can be reached.
        findings: Security Hub.
        archive: where certificates go before they are deleted; None in a dry run without one.
        settings: the function's settings.
        clock: returns the time in UTC.
        deadline: when the invocation must have reported.
    """

    accounts: AccountsPort
    findings: FindingsPort
    archive: ArchivePort | None
    settings: Settings
    clock: Callable[[], datetime]
    deadline: Deadline

    def run(self, account_id: str, arrivals: Sequence[Arrival]) -> AccountResult:
        """Return what came of the findings of an account; no error of it reaches the caller."""
        result = attempt(self._remediate, account_id, arrivals)
        if isinstance(result, AccountResult):
            return result
        return AccountResult(account_id, [Case.of(one, result) for one in arrivals])

    def _remediate(self, account_id: str, arrivals: Sequence[Arrival]) -> AccountResult:
        self.deadline.seconds_left()
        account = self.accounts.open(account_id)
        examination = Examination(account, self.findings, self.settings, self.clock, self.deadline)
        listed = account.certificates.list_all()
        subjects, cases = group_by_certificate(arrivals, listed, self.accounts.partition)
        candidates: list[Pair] = []
        for subject in subjects:
            screened = attempt(self._screen, examination, subject, listed)
            if isinstance(screened, Candidate):
                candidates.append((subject, screened))
            else:
                cases.append(_close(subject, screened))
        candidates, accepted = self._drop_accepted(examination, candidates)
        cases += accepted
        looks: list[Look] = []
        for number, pair in enumerate(candidates):
            look = attempt(self._look, examination, looks, listed)
            if not isinstance(look, Look):
                cases += [left.close(look) for left, _ in candidates[number:]]
                break
            decided = attempt(self._decide, account, examination, pair, look)
            cases.append(_close(pair[0], decided))
        return AccountResult(account_id, cases, [look.references for look in looks])

    def _screen(
        self, examination: Examination, subject: Subject, listed: Sequence[ServerCertificate]
    ) -> Candidate | Case | Conclusion:
        """Return the candidate for a deletion, or what ends its path if little suffices to know."""
        absence = Absence(examination.account.certificates, self.archive)
        if subject.certificate is None:
            return absence.conclude(subject, listed)
        try:
            return examination.screen(subject.certificate, subject.identifier)
        except CertificateGoneError:
            return absence.conclude_vanished(subject)

    def _drop_accepted(
        self, examination: Examination, candidates: Sequence[Pair]
    ) -> tuple[list[Pair], list[Case]]:
        """Return the candidates without those whose risk somebody accepted, and the cases of these.

        A suppressed finding is about the certificate, not about one standard's finding of it.
        """
        if not candidates:
            return [], []
        suppressed = attempt(examination.list_suppressed)
        if isinstance(suppressed, Conclusion | Postponed):
            return [], [subject.close(suppressed) for subject, _ in candidates]
        kept: list[Pair] = []
        cases: list[Case] = []
        for subject, candidate in candidates:
            against = screen_suppressed(candidate.certificate, suppressed)
            if against is None:
                kept.append((subject, candidate))
            else:
                cases += _close_accepted(subject, against, suppressed)
        return kept, cases

    def _look(
        self, examination: Examination, looks: list[Look], listed: Sequence[ServerCertificate]
    ) -> Look:
        """Return a look at the account that a delete may rest on: the last one while it is fresh.

        Raises:
            AwsCallError: the certificates may not be listed once more.
            TransientError: the scan could not be made now, or there is no time left to act on it.
        """
        if not looks or not looks[-1].references.is_fresh(self.clock()):
            looks.append(examination.look(listed))
        self.deadline.seconds_left()
        return looks[-1]

    def _decide(
        self, account: AccountPort, examination: Examination, pair: Pair, look: Look
    ) -> Case | Conclusion:
        subject, candidate = pair
        proven = examination.prove(candidate, look)
        return proven if isinstance(proven, Conclusion) else self._act(account, subject, proven)

    def _act(self, account: AccountPort, subject: Subject, proof: Proof) -> Case | Conclusion:
        if self.settings.mode is Mode.DRY_RUN or self.archive is None:
            return conclude_deletable(proof.certificate, proof.references, archived_as=None)
        return Deletion(account, self.archive, self.settings, self.clock).delete(subject, proof)


def _close_accepted(
    subject: Subject, against: Conclusion, suppressed: Sequence[Finding | EventError]
) -> list[Case]:
    """Return the cases of a subject, of which some findings may be suppressed since they were read.

    Those are not to be touched.
    """
    settled = {one.key: one.find_settled_trait() for one in suppressed if isinstance(one, Finding)}
    cases, left = [], []
    for arrival in subject.arrivals:
        if trait := settled.get(arrival.finding.key):
            cases.append(Case.of(arrival, conclude_refused(trait)))
        else:
            left.append(arrival)
    return [*cases, replace(subject, arrivals=tuple(left)).close(against)] if left else cases


def _close(subject: Subject, ended: Case | Verdict) -> Case:
    return ended if isinstance(ended, Case) else subject.close(ended)
