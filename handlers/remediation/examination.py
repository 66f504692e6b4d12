"""What is looked at before anything is decided about a certificate; nothing here can change one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from handlers.remediation.deadline import Deadline
from handlers.remediation.ports import ReadableAccountPort, SuppressionsPort
from models.certificate import CertificateIdentifier, ServerCertificate
from models.errors import EventError, TransientError
from models.finding import Finding
from models.outcome import Conclusion
from models.proof import Candidate, Proof, prove, screen, screen_tags
from models.reference import References
from models.settings import Settings


class Look(NamedTuple):
    """A scan of an account, with the certificates that what it found is compared with."""

    references: References
    certificates: tuple[ServerCertificate, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """Examines the certificates of one account.

    Attributes:
        account: the account.
        findings: the risks that people accepted.
        settings: grace period and exempt tag.
        clock: returns the time in UTC.
        deadline: until when there is time for it.
    """

    account: ReadableAccountPort
    findings: SuppressionsPort
    settings: Settings
    clock: Callable[[], datetime]
    deadline: Deadline

    def screen(
        self, certificate: ServerCertificate, identifier: CertificateIdentifier
    ) -> Candidate | Conclusion:
        """Return the candidate for a deletion, or what keeps a certificate whatever refers to it.

        Raises:
            AwsCallError, TransientError: its tags could not be read.
            CertificateGoneError: it went since it was listed.
        """
        if against := screen(certificate, identifier, self.settings, self.clock()):
            return against
        tags = self.account.certificates.read_tags(certificate.name)
        if against := screen_tags(certificate, tags, self.settings):
            return against
        return Candidate(certificate, identifier, tags)

    def list_suppressed(self) -> Sequence[Finding | EventError]:
        """Return the account's suppressed findings of the control.

        Raises:
            AwsCallError, TransientError: Security Hub did not say.
        """
        return self.findings.list_suppressed(self.account.id)

    def look(self, listed: Sequence[ServerCertificate]) -> Look:
        """Return a look at the account that a delete may rest on.

        Args:
            listed: its certificates, as they were listed before.

        Raises:
            AwsCallError: the certificates may not be listed once more.
            TransientError: the scan could not be made now, or took too long.
        """
        scan = self.account.scan_references(self.deadline.seconds_left())
        if scan.find_dangling(listed):
            # The list is older than the scan: what seems to dangle may have come in between.
            listed = self.account.certificates.list_all()
        if not scan.is_fresh(self.clock()):
            raise TransientError(
                f"the scan took {scan.seconds:.0f} s, too long to rest a delete on"
            )
        return Look(scan, tuple(listed))

    def prove(self, candidate: Candidate, look: Look) -> Proof | Conclusion:
        """Return the proof that a candidate may be deleted, or what stands against it."""
        return prove(candidate, look.references, look.certificates, self.settings, self.clock())
