"""The certificate is not there: deleted by this application, by somebody else, or renamed?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.remediation.cases import Case, Subject
from handlers.remediation.ports import ArchivePort, CertificatesPort
from models.archive import (
    Attempt,
    StoredRecord,
    find_vouching,
    is_attempted_besides,
    mark_kept,
)
from models.certificate import ServerCertificate
from models.conclusions import conclude_absent, conclude_deletable, conclude_unvouched
from models.errors import AwsCallError, TransientError
from models.outcome import list_sightings

OTHERS_SETTLE_AFTER_SECONDS = (0.2, 0.6, 1.8)


@dataclass(frozen=True, slots=True)
class Absence:
    """Concludes on certificates of one account that IAM does not have.

    Attributes:
        certificates: the account's certificates.
        archive: where our deletions are recorded; None where nothing is ever deleted.
    """

    certificates: CertificatesPort
    archive: ArchivePort | None

    def conclude(
        self,
        subject: Subject,
        listed: Sequence[ServerCertificate],
        kept: Attempt | None = None,
    ) -> Case:
        """Return the case of a certificate that is gone: deleted by us, or already gone.

        An invocation that was killed right after its delete left a record in the archive.

        Args:
            subject: the findings about it.
            listed: what IAM has in the account, without it.
            kept: our own attempt to delete it, which certainly did not; None if there was none.

        Raises:
            TransientError: the archive could not answer now, or another invocation of ours may be
                deleting the certificate at this moment.
        """
        since = max(finding.created_at for finding in subject.findings)
        try:
            stored = self._list_records(subject, since)
            if kept:
                stored = mark_kept(self._await_others(subject, since, stored, kept), kept)
        except AwsCallError as error:
            return subject.close(conclude_unvouched(subject.identifier, error))
        vouching = find_vouching(
            stored, subject.identifier, since, listed, list_sightings(subject.findings)
        )
        if vouching is None:
            return subject.close(conclude_absent(subject.identifier))
        certificate, evidence = vouching.record.files.certificate, vouching.record.evidence
        conclusion = conclude_deletable(certificate, evidence, archived_as=vouching.location)
        return subject.close(conclusion, certificate)

    def conclude_vanished(self, subject: Subject, kept: Attempt | None = None) -> Case:
        """Return the case of a certificate that was listed and is not there by its name any more.

        Raises:
            AwsCallError: the certificates may not be listed once more.
            TransientError: as `conclude`; also if the certificate has another name now.
        """
        listed = self.certificates.list_all()
        if subject.certificate and subject.certificate.id in {one.id for one in listed}:
            raise TransientError("the certificate was renamed since it was listed")
        return self.conclude(subject, listed, kept)

    def _await_others(
        self, subject: Subject, since: datetime, stored: Sequence[StoredRecord], kept: Attempt
    ) -> Sequence[StoredRecord]:
        """Return the records once no other invocation may be deleting the certificate.

        One that was faster by a moment is about to record it.
        """
        for delay in OTHERS_SETTLE_AFTER_SECONDS:
            if not is_attempted_besides(stored, kept):
                return stored
            time.sleep(delay)
            stored = self._list_records(subject, since)
        if is_attempted_besides(stored, kept):
            raise TransientError("another invocation may be deleting the certificate")
        return stored

    def _list_records(self, subject: Subject, since: datetime) -> Sequence[StoredRecord]:
        if self.archive is None:
            return ()
        return self.archive.list_records(subject.account_id, subject.identifier, since)
