"""The act: read the certificate once more, archive it, delete it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers.observability import logger
from handlers.remediation.absence import Absence
from handlers.remediation.cases import Case, Subject
from handlers.remediation.ports import AccountPort, ArchivePort
from models.archive import ArchiveRecord, ArchiveState
from models.certificate import CertificateFiles
from models.conclusions import conclude_deletable, conclude_in_use
from models.errors import (
    AwsCallError,
    CertificateGoneError,
    CertificateInUseError,
    DeleteUnansweredError,
    TransientError,
)
from models.outcome import Conclusion
from models.proof import Proof, prove_again
from models.settings import Settings

HOLDER_IN_CONFLICT = re.compile(r"in use by (?P<holder>arn:\S+?)[.,]?(\s|$)")

# Each after another look, for IAM may have deleted the certificate without our hearing of it.
DELETE_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes certificates of one account that are proven expired and unused.

    Attributes:
        account: the account.
        archive: where the certificate goes first.
        settings: grace period and exempt tag.
        clock: returns the time in UTC.
    """

    account: AccountPort
    archive: ArchivePort
    settings: Settings
    clock: Callable[[], datetime]

    def delete(self, subject: Subject, proof: Proof) -> Case | Conclusion:
        """Delete a certificate, unless it is no longer what was proven, and return what came of it.

        Raises:
            AwsCallError: reading, archiving or deleting was refused; the certificate is kept.
            TransientError: AWS could not answer now; the certificate may be deleted or not.
        """
        for _ in range(DELETE_ATTEMPTS - 1):
            try:
                return self._delete_once(subject, proof)
            except DeleteUnansweredError as error:
                logger.warning("delete was not answered", extra={"reason": str(error)})
        return self._delete_once(subject, proof)

    def _delete_once(self, subject: Subject, proof: Proof) -> Case | Conclusion:
        try:
            files = self.account.certificates.read(proof.certificate.name)
        except CertificateGoneError:
            return Absence(self.archive).conclude_vanished(subject)
        proven = prove_again(proof, files, self.settings, self.clock())
        if isinstance(proven, Conclusion):
            return proven
        return self._delete_archived(proven, self._make_record(subject, proven, files))

    def _make_record(
        self, subject: Subject, proof: Proof, files: CertificateFiles
    ) -> ArchiveRecord:
        return ArchiveRecord(
            state=ArchiveState.DELETING,
            archived_at=self.clock(),
            files=files,
            finding_ids=tuple(finding.id for finding in subject.findings),
            evidence=proof.references,
            regions_out_of_scope=proof.references.out_of_scope,
        )

    def _delete_archived(self, proof: Proof, record: ArchiveRecord) -> Conclusion:
        certificate, references = proof.certificate, proof.references
        location = self.archive.write(self.account.id, record)
        if not proof.is_fresh(self.clock()):
            raise TransientError("the proof grew old before the delete")
        try:
            self.account.certificates.delete(certificate.name)
        except CertificateGoneError:
            # Another invocation was faster: the record, written before, says on what evidence it
            # went.
            logger.info("certificate was gone at its delete", extra={"archivedAs": location})
        except CertificateInUseError as error:
            self._mark_kept(record)
            return conclude_in_use(certificate, _find_holder(str(error)), references.summary)
        except AwsCallError:
            self._mark_kept(record)
            raise
        return conclude_deletable(certificate, references, archived_as=location)

    def _mark_kept(self, record: ArchiveRecord) -> None:
        kept = record.model_copy(update={"state": ArchiveState.KEPT})
        try:
            self.archive.write(self.account.id, kept)
        except AwsCallError as error:
            # The certificate is kept whatever its record says, and the finding tells.
            logger.error(
                "archive record still says deleting",
                extra={"certificate": record.files.certificate.arn, "reason": str(error)},
            )


def _find_holder(message: str) -> tuple[str]:
    match = HOLDER_IN_CONFLICT.search(message)
    return (match["holder"] if match else "something that IAM knows of (DeleteConflict)",)
