"""The certificate is not there: deleted by this application, by somebody else, or renamed?"""

from dataclasses import dataclass

from handlers.remediation.cases import Case, Subject
from handlers.remediation.ports import ArchivePort
from models.archive import StoredRecord, find_vouching
from models.certificate import IdentifierKind
from models.conclusions import conclude_absent, conclude_deletable
from models.errors import TransientError
from models.outcome import Conclusion, Outcome


@dataclass(frozen=True, slots=True)
class Absence:
    """Concludes on certificates of one account that IAM does not have.

    Attributes:
        archive: where our deletions are recorded; None where nothing is ever deleted.
    """

    archive: ArchivePort | None

    def conclude(self, subject: Subject) -> Case:
        """Return the case of a certificate that is gone: deleted by us, or already gone.

        An invocation that was killed right after its delete left a record in the archive.

        Raises:
            AwsCallError: the archive may not be read.
            TransientError: it could not answer now.
        """
        vouching = self._find_vouching(subject)
        if vouching is None:
            return subject.close(conclude_absent(subject.identifier))
        certificate, evidence = vouching.record.files.certificate, vouching.record.evidence
        conclusion = conclude_deletable(certificate, evidence, archived_as=vouching.location)
        return subject.close(conclusion, certificate)

    def conclude_vanished(self, subject: Subject) -> Case:
        """Return the case of a certificate that was listed and is not there by its name any more.

        Raises:
            AwsCallError, TransientError: as `conclude`; also if the finding names it by its id,
                under which it may still be there with another name.
        """
        case = self.conclude(subject)
        if subject.identifier.kind is IdentifierKind.ID and _is_already_gone(case):
            raise TransientError("the certificate was renamed or deleted since it was listed")
        return case

    def _find_vouching(self, subject: Subject) -> StoredRecord | None:
        if self.archive is None:
            return None
        since = max(finding.created_at for finding in subject.findings)
        stored = self.archive.list_records(subject.account_id, subject.identifier, since)
        return find_vouching(stored, subject.identifier, since)


def _is_already_gone(case: Case) -> bool:
    verdict = case.verdict
    return isinstance(verdict, Conclusion) and verdict.outcome is Outcome.ALREADY_GONE
