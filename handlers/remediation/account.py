"""What happens in one account: list, group, screen, scan, prove, act."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.remediation.absence import Absence
from handlers.remediation.cases import (
    Arrival,
    Case,
    Subject,
    Verdict,
    attempt,
    group_by_certificate,
)
from handlers.remediation.deadline import Deadline
from handlers.remediation.deletion import Deletion
from handlers.remediation.ports import AccountPort, AccountsPort, ArchivePort
from models.certificate import ServerCertificate
from models.conclusions import conclude_deletable
from models.errors import CertificateGoneError, TransientError
from models.outcome import Conclusion
from models.proof import Candidate, Proof, prove, screen, screen_tags
from models.reference import References
from models.settings import Mode, Settings


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
        archive: where certificates go before they are deleted; None in a dry run without one.
        settings: the function's settings.
        clock: returns the time in UTC.
        deadline: when the invocation must have reported.
    """

    accounts: AccountsPort
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
        certificates = account.certificates.list_all()
        subjects, cases = group_by_certificate(arrivals, certificates, self.accounts.partition)
        candidates: list[tuple[Subject, Candidate]] = []
        for subject in subjects:
            screened = attempt(self._screen, account, subject)
            if isinstance(screened, Candidate):
                candidates.append((subject, screened))
            else:
                cases.append(_close(subject, screened))
        scans: list[References] = []
        for number, (subject, candidate) in enumerate(candidates):
            scan = attempt(self._look, account, scans)
            if not isinstance(scan, References):
                cases += [left.close(scan) for left, _ in candidates[number:]]
                break
            ended = attempt(self._decide, account, subject, candidate, scan, certificates)
            cases.append(_close(subject, ended))
        return AccountResult(account_id, cases, scans)

    def _screen(self, account: AccountPort, subject: Subject) -> Candidate | Case | Conclusion:
        """Return the candidate for a deletion, or what ends its path if little suffices to know."""
        certificate, absence = subject.certificate, Absence(self.archive)
        if certificate is None:
            return absence.conclude(subject)
        if against := screen(certificate, subject.identifier, self.settings, self.clock()):
            return against
        try:
            tags = account.certificates.read_tags(certificate.name)
        except CertificateGoneError:
            return absence.conclude_vanished(subject)
        if against := screen_tags(certificate, tags, self.settings):
            return against
        return Candidate(certificate, subject.identifier, tags)

    def _look(self, account: AccountPort, scans: list[References]) -> References:
        """Return a scan that a delete may rest on: the last one for as long as it is fresh.

        Raises:
            TransientError: the scan could not be made now, or there is no time left to act on it.
        """
        if not scans or not scans[-1].is_fresh(self.clock()):
            scan = account.scan_references(self.deadline.seconds_left())
            if not scan.is_fresh(self.clock()):
                raise TransientError(
                    f"the scan took {scan.seconds:.0f} s, too long to rest a delete on"
                )
            scans.append(scan)
        self.deadline.seconds_left()
        return scans[-1]

    def _decide(
        self,
        account: AccountPort,
        subject: Subject,
        candidate: Candidate,
        scan: References,
        certificates: Sequence[ServerCertificate],
    ) -> Case | Conclusion:
        proven = prove(candidate, scan, certificates, self.settings, self.clock())
        return proven if isinstance(proven, Conclusion) else self._act(account, subject, proven)

    def _act(self, account: AccountPort, subject: Subject, proof: Proof) -> Case | Conclusion:
        if self.settings.mode is Mode.DRY_RUN or self.archive is None:
            return conclude_deletable(proof.certificate, proof.references, archived_as=None)
        return Deletion(account, self.archive, self.settings, self.clock).delete(subject, proof)


def _close(subject: Subject, ended: Case | Verdict) -> Case:
    return ended if isinstance(ended, Case) else subject.close(ended)
