"""The act: read the certificate once more, archive it, delete it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.observability import logger
from handlers.remediation.cases import Case
from handlers.remediation.ports import AccountPort, ArchivePort
from models.archive import ArchiveRecord, ArchiveState
from models.certificate import (
    CertificateFiles,
    CertificateIdentifier,
    IdentifierKind,
    ServerCertificate,
)
from models.decision import (
    Act,
    Need,
    conclude_absent,
    conclude_deletable,
    conclude_in_use,
    conclude_valid,
    decide,
    unverified,
)
from models.errors import (
    AwsCallError,
    CertificateGoneError,
    CertificateInUseError,
    DeleteUnansweredError,
    TransientError,
)
from models.outcome import Conclusion, Outcome
from models.reference import References
from models.settings import Settings

HOLDER_IN_CONFLICT = re.compile(r"in use by (?P<holder>arn:\S+?)[.,]?(\s|$)")


# Each after another look, for IAM may have deleted the certificate without our hearing of it.
DELETE_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes certificates of one account that a scan has proven unused.

    Attributes:
        account: the account.
        archive: where the certificate goes first.
        settings: grace period and exempt tag.
        clock: gives the time in UTC.
    """

    account: AccountPort
    archive: ArchivePort | None
    settings: Settings
    clock: Callable[[], datetime]

    def delete(
        self,
        case: Case,
        references: References,
        certificates: Sequence[ServerCertificate],
    ) -> Conclusion:
        """Delete the certificate of a case, unless it is no longer what was proven.

        Raises:
            AwsCallError: reading, archiving or deleting was refused; the certificate is kept.
            TransientError: AWS could not answer now; the certificate may be deleted or not.
        """
        for _ in range(DELETE_ATTEMPTS - 1):
            try:
                return self._delete_once(case, references, certificates)
            except DeleteUnansweredError as error:
                logger.warning("delete was not answered", extra={"reason": str(error)})
        return self._delete_once(case, references, certificates)

    def _delete_once(
        self,
        case: Case,
        references: References,
        certificates: Sequence[ServerCertificate],
    ) -> Conclusion:
        listed, identifier = case.certificate, case.identifier
        if listed is None or identifier is None or self.archive is None:
            raise ValueError("only a certificate that was found can be deleted, with an archive")
        try:
            files = self.account.certificates.read(listed.name)
        except CertificateGoneError:
            return self.conclude_vanished(case)
        doubt = self._doubt(files, listed, identifier, references, certificates)
        if doubt:
            return doubt
        record = ArchiveRecord(
            state=ArchiveState.DELETING,
            archived_at=self.clock(),
            files=files,
            finding_ids=tuple(finding.id for finding in case.findings),
            evidence=references,
            regions_out_of_scope=references.out_of_scope,
        )
        return self._delete_archived(record, self.archive)

    def conclude_vanished(self, case: Case) -> Conclusion:
        """Conclude on a certificate that was listed, and is not there under its name any more.

        Raises:
            AwsCallError, TransientError: as `conclude_gone`; also if the finding names it by its
                id, under which it may still be there with another name.
        """
        conclusion = self.conclude_gone(case)
        by_id = case.identifier is not None and case.identifier.kind is IdentifierKind.ID
        if by_id and conclusion.outcome is Outcome.ALREADY_GONE:
            raise TransientError("the certificate was renamed or deleted since it was listed")
        return conclusion

    def conclude_gone(self, case: Case) -> Conclusion:
        """Conclude on a certificate that IAM does not have: who deleted it?

        An invocation that was killed right after its delete left a record in the archive.

        Raises:
            AwsCallError: the archive may not be read.
            TransientError: it could not answer now.
        """
        identifier = case.identifier
        if identifier is None:
            raise ValueError("a case without an identifier is about no certificate")
        since = max(finding.created_at for finding in case.findings)
        vouching = (
            self.archive.find_vouching(self.account.id, identifier, since) if self.archive else None
        )
        if vouching is None:
            return conclude_absent(identifier)
        location, record = vouching
        case.certificate = record.files.certificate
        return conclude_deletable(record.files.certificate, record.evidence, archived_as=location)

    def _doubt(
        self,
        files: CertificateFiles,
        listed: ServerCertificate,
        identifier: CertificateIdentifier,
        references: References,
        certificates: Sequence[ServerCertificate],
    ) -> Conclusion | None:
        """Give why the certificate under this name may not go after all, or None."""
        now = self.clock()
        current = files.certificate
        if current.id != listed.id:
            if not current.is_expired(now):
                return conclude_valid(current)
            return unverified(
                f"Kept: certificate {listed.name} was replaced while it was checked:",
                (f"{listed.id} became {current.id}",),
                "Security Hub raises a finding of its own for the new one.",
            )
        decision = decide(
            current,
            identifier,
            self.settings,
            now,
            tags=files.tags,
            references=references,
            certificates=certificates,
        )
        if isinstance(decision, Need):
            raise TypeError(f"a decision with tags and references asks for {decision}")
        return None if isinstance(decision, Act) else decision

    def _delete_archived(self, record: ArchiveRecord, archive: ArchivePort) -> Conclusion:
        certificate, evidence = record.files.certificate, record.evidence
        location = archive.write(self.account.id, record)
        if not evidence.is_fresh(self.clock()):
            raise TransientError("the proof grew old before the delete")
        try:
            self.account.certificates.delete(certificate.name)
        except CertificateGoneError:
            # Another invocation was faster: the record, written before, says on what evidence it
            # went.
            logger.info("certificate was gone at its delete", extra={"archivedAs": location})
        except CertificateInUseError as error:
            self._mark_kept(record, archive)
            return conclude_in_use(certificate, _find_holder(str(error)), evidence.summary)
        except AwsCallError:
            self._mark_kept(record, archive)
            raise
        return conclude_deletable(certificate, evidence, archived_as=location)

    def _mark_kept(self, record: ArchiveRecord, archive: ArchivePort) -> None:
        try:
            archive.write(self.account.id, record.model_copy(update={"state": ArchiveState.KEPT}))
        except AwsCallError as error:
            # The certificate is kept whatever its record says, and the finding tells.
            logger.error(
                "archive record still says deleting",
                extra={"certificate": record.files.certificate.arn, "reason": str(error)},
            )


def _find_holder(message: str) -> tuple[str]:
    match = HOLDER_IN_CONFLICT.search(message)
    return (match["holder"] if match else "something that IAM knows of (DeleteConflict)",)
