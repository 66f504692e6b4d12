"""The part of the story that plays in one account: look up, decide, scan, act."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.remediation.cases import Arrival, Case, group_by_certificate
from handlers.remediation.deadline import Deadline
from handlers.remediation.deletion import Deletion
from handlers.remediation.ports import AccountPort, AccountsPort, ArchivePort
from models.certificate import ServerCertificate
from models.decision import Act, Need, conclude_deletable, decide
from models.errors import CertificateGoneError, TransientError
from models.outcome import Conclusion
from models.reference import References
from models.settings import Mode, Settings


@dataclass(frozen=True, slots=True)
class AccountResult:
    """What came of the findings of one account, and the scans that this took."""

    account_id: str
    cases: list[Case]
    scans: list[References]


@dataclass(frozen=True, slots=True)
class AccountRemediation:
    """Decides and acts on the certificates of one account.

    Attributes:
        accounts: the accounts that can be reached.
        archive: where certificates go before they are deleted; needed to enforce.
        settings: the function's settings.
        clock: gives the time in UTC.
        deadline: when the invocation must have reported.
    """

    accounts: AccountsPort
    archive: ArchivePort | None
    settings: Settings
    clock: Callable[[], datetime]
    deadline: Deadline

    def run(self, account_id: str, arrivals: list[Arrival]) -> AccountResult:
        """Conclude or postpone findings of an account; no error of it reaches the caller."""
        scans: list[References] = []
        whole = Case(arrivals)
        with whole.errors_concluded():
            self.deadline.seconds_left()
            account = self.accounts.open(account_id)
            certificates = account.certificates.list_all()
            cases = group_by_certificate(arrivals, certificates, self.accounts.partition)
            for case in cases:
                with case.errors_concluded():
                    self._decide_without_references(account, case)
            self._decide_with_references(account, certificates, cases, scans)
            return AccountResult(account_id, cases, scans)
        return AccountResult(account_id, whole.split(), scans)

    def _decide_without_references(self, account: AccountPort, case: Case) -> None:
        """Conclude a case if what is cheap to know suffices."""
        if case.identifier is None or not case.is_open:
            return
        deletion = self._deletion_in(account)
        if case.certificate is None:
            case.conclusion = deletion.conclude_gone(case)
            return
        decision = decide(case.certificate, case.identifier, self.settings, self.clock())
        if decision is Need.TAGS:
            try:
                case.tags = account.certificates.read_tags(case.certificate.name)
            except CertificateGoneError:
                case.conclusion = deletion.conclude_vanished(case)
                return
            decision = decide(
                case.certificate, case.identifier, self.settings, self.clock(), tags=case.tags
            )
        if isinstance(decision, Conclusion):
            case.conclusion = decision

    def _decide_with_references(
        self,
        account: AccountPort,
        certificates: Sequence[ServerCertificate],
        cases: Sequence[Case],
        scans: list[References],
    ) -> None:
        """Conclude the cases that are still candidates, on one scan as long as it is fresh."""
        candidates = [case for case in cases if case.is_open]
        for number, case in enumerate(candidates):
            with case.errors_concluded():
                if not scans or not scans[-1].is_fresh(self.clock()):
                    scans.append(self._scan(account))
                self.deadline.seconds_left()
            if not case.is_open:
                for left in candidates[number + 1 :]:
                    left.conclusion, left.postponed = case.conclusion, case.postponed
                return
            with case.errors_concluded():
                self._act(account, case, scans[-1], certificates)

    def _scan(self, account: AccountPort) -> References:
        references = account.scan_references(self.deadline.seconds_left())
        if not references.is_fresh(self.clock()):
            raise TransientError(
                f"the scan took {references.seconds:.0f} s, too long to rest a delete on"
            )
        return references

    def _act(
        self,
        account: AccountPort,
        case: Case,
        references: References,
        certificates: Sequence[ServerCertificate],
    ) -> None:
        if case.certificate is None or case.identifier is None:
            raise ValueError("a candidate is a certificate that was found")
        decision = decide(
            case.certificate,
            case.identifier,
            self.settings,
            self.clock(),
            tags=case.tags,
            references=references,
            certificates=certificates,
        )
        if isinstance(decision, Conclusion):
            case.conclusion = decision
        elif decision is Act.DELETE and self.settings.mode is Mode.DRY_RUN:
            case.conclusion = conclude_deletable(case.certificate, references, archived_as=None)
        elif decision is Act.DELETE:
            case.conclusion = self._deletion_in(account).delete(case, references, certificates)

    def _deletion_in(self, account: AccountPort) -> Deletion:
        return Deletion(account, self.archive, self.settings, self.clock)
