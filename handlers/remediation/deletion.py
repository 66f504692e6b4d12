"""The act: read the certificate, archive it, read it again, delete it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from handlers.observability import logger
from handlers.remediation.absence import Absence
from handlers.remediation.cases import Case, Subject
from handlers.remediation.ports import AccountPort, ArchivePort
from models.archive import (
    ArchiveState,
    Attempt,
    StoredRecord,
    begin_attempt,
    settle_attempt,
)
from models.certificate import CertificateFiles
from models.conclusions import conclude_conflict, conclude_deletable
from models.errors import (
    AwsCallError,
    CertificateGoneError,
    CertificateInUseError,
    DeleteUnansweredError,
    TransientError,
)
from models.outcome import Conclusion, Outcome
from models.proof import Proof, prove_again
from models.settings import Settings

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
        try:
            files = self.account.certificates.read(proof.certificate.name)
        except CertificateGoneError:
            return self._absence.conclude_vanished(subject)
        proven = prove_again(proof, files, self.settings, self.clock())
        if isinstance(proven, Conclusion):
            return proven
        attempt, stored = self._archive(subject, proven, files)
        return self._delete_archived(subject, proven, attempt, stored)

    @property
    def _absence(self) -> Absence:
        return Absence(self.account.certificates, self.archive)

    def _archive(
        self, subject: Subject, proof: Proof, files: CertificateFiles
    ) -> tuple[Attempt, StoredRecord]:
        attempt = Attempt(
            id=uuid.uuid4().hex,
            state=ArchiveState.DELETING,
            archived_at=self.clock(),
            files=files,
            finding_ids=tuple(finding.id for finding in subject.findings),
            evidence=proof.references,
            regions_out_of_scope=proof.references.out_of_scope,
        )
        stored = self.archive.update(
            self.account.id, None, lambda known: begin_attempt(known, attempt)
        )
        return attempt, stored

    def _delete_archived(
        self, subject: Subject, proof: Proof, attempt: Attempt, stored: StoredRecord
    ) -> Case | Conclusion:
        unanswered = DeleteUnansweredError("IAM was not asked")
        for number in range(DELETE_ATTEMPTS):
            try:
                return self._delete_once(subject, proof, attempt, stored, was_asked=number > 0)
            except DeleteUnansweredError as error:
                logger.warning("delete was not answered", extra={"reason": str(error)})
                unanswered = error
        raise unanswered

    def _delete_once(
        self,
        subject: Subject,
        proof: Proof,
        attempt: Attempt,
        stored: StoredRecord,
        *,
        was_asked: bool,
    ) -> Case | Conclusion:
        try:
            against = self._look_again(proof, was_asked=was_asked)
        except CertificateGoneError:
            return self._conclude_gone(subject, attempt, stored, was_asked=was_asked)
        except Exception:
            self._keep(attempt, stored, was_asked=was_asked)
            raise
        if against:
            self._keep(attempt, stored, was_asked=was_asked)
            return against
        try:
            self.account.certificates.delete(proof.certificate.name)
        except CertificateGoneError:
            return self._conclude_gone(subject, attempt, stored, was_asked=was_asked)
        except CertificateInUseError as error:
            logger.warning("IAM says that the certificate is in use", extra={"reason": str(error)})
            self._settle(attempt, stored, ArchiveState.KEPT)
            return conclude_conflict(proof.certificate, str(error), proof.references.summary)
        except AwsCallError:
            self._settle(attempt, stored, ArchiveState.KEPT)
            raise
        self._settle(attempt, stored, ArchiveState.DELETED)
        deleted = conclude_deletable(
            proof.certificate, proof.references, archived_as=stored.location
        )
        return subject.close(deleted, deleted_now=True)

    def _look_again(self, proof: Proof, *, was_asked: bool) -> Conclusion | None:
        """Return what stands against the delete since the certificate was archived, or None.

        Nothing but this answer and the clock may stand between it and the delete.

        Raises:
            CertificateGoneError: it is not there by its name; once IAM was asked to delete it, that
                is also so if another one has the name.
        """
        try:
            files = self.account.certificates.read(proof.certificate.name)
        except AwsCallError as error:
            if was_asked:
                # Nobody knows now whether it is kept.
                raise TransientError(f"a delete was not answered, and then {error}") from error
            raise
        if was_asked and files.certificate.id != proof.certificate.id:
            raise CertificateGoneError(proof.certificate.name)
        now = self.clock()
        proven = prove_again(proof, files, self.settings, now)
        if isinstance(proven, Conclusion):
            return proven
        if not proven.is_fresh(now):
            raise TransientError("the proof grew old before the delete")
        return None

    def _conclude_gone(
        self, subject: Subject, attempt: Attempt, stored: StoredRecord, *, was_asked: bool
    ) -> Case:
        """Return the case of a certificate that is not there any more once it is archived."""
        if not was_asked:
            self._settle(attempt, stored, ArchiveState.KEPT)
            return self._absence.conclude_vanished(subject, attempt)
        # An earlier request was not answered: the record goes on saying so, and vouches.
        try:
            case = self._absence.conclude_vanished(subject)
        except AwsCallError as error:
            raise TransientError(f"a delete was not answered, and then {error}") from error
        return replace(case, deleted_now=case.has_outcome(Outcome.DELETED))

    def _keep(self, attempt: Attempt, stored: StoredRecord, *, was_asked: bool) -> None:
        """Record that the certificate was kept, unless IAM may still delete it."""
        if not was_asked:
            self._settle(attempt, stored, ArchiveState.KEPT)

    def _settle(self, attempt: Attempt, stored: StoredRecord, state: ArchiveState) -> None:
        try:
            self.archive.update(
                self.account.id, stored, lambda known: settle_attempt(known, attempt, state)
            )
        except (AwsCallError, TransientError) as error:
            # What became of the certificate does not change with its record, and the finding tells.
            logger.error(
                "archive record still says deleting",
                extra={
                    "certificate": attempt.files.certificate.arn,
                    "state": state,
                    "reason": str(error),
                },
            )
