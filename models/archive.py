"""The archive's records: the write-ahead log of deletions."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import AwareDatetime, Field

from models.base import Model
from models.certificate import CertificateFiles, CertificateIdentifier
from models.reference import References


class ArchiveState(StrEnum):
    """How far the deletion that a record precedes has come."""

    DELETING = "deleting"
    KEPT = "kept"


class ArchiveRecord(Model):
    """All that can be known of a certificate right before its deletion, and why it was allowed."""

    state: ArchiveState
    archived_at: AwareDatetime = Field(alias="archivedAt")
    files: CertificateFiles
    finding_ids: tuple[str, ...] = Field(alias="findingIds")
    evidence: References
    regions_out_of_scope: tuple[str, ...] = Field(alias="regionsOutOfScope", default=())


class StoredRecord(NamedTuple):
    """A record with where it is stored, such as `s3://bucket/certificates/….json`."""

    location: str
    record: ArchiveRecord


def find_vouching(
    stored: Iterable[StoredRecord], identifier: CertificateIdentifier, since: datetime
) -> StoredRecord | None:
    """Return the record that vouches for our deletion of a certificate that is gone, or None.

    The newest record of the certificate decides: an older one may be of a certificate that had
    the name before.

    Args:
        stored: records of the account, which may be of other certificates as well.
        identifier: how a finding names the certificate that is gone.
        since: when that finding was created (UTC); an older record is about an older finding.
    """
    about = [
        one
        for one in stored
        if identifier.means(one.record.files.certificate) and one.record.archived_at >= since
    ]
    newest = max(about, key=lambda one: one.record.archived_at, default=None)
    return newest if newest and newest.record.state is ArchiveState.DELETING else None


def compose_prefix(account_id: str, name: str | None = None) -> str:
    """Return the key prefix of an account's records, or of those of one certificate name."""
    return f"certificates/{account_id}/" + (f"{name}/" if name else "")


def compose_key(account_id: str, files: CertificateFiles) -> str:
    """Return a record's key: certificates/<account>/<name>/<certificate id>.json."""
    certificate = files.certificate
    return f"{compose_prefix(account_id, certificate.name)}{certificate.id}.json"
