"""The archive's records: the write-ahead log of deletions."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from models.base import Model
from models.certificate import CertificateFiles
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


def compose_prefix(account_id: str, name: str | None = None) -> str:
    """Give the key prefix of an account's records, or of those of one certificate name."""
    return f"certificates/{account_id}/" + (f"{name}/" if name else "")


def compose_key(account_id: str, files: CertificateFiles) -> str:
    """Give a record's key: certificates/<account>/<name>/<certificate id>.json."""
    certificate = files.certificate
    return f"{compose_prefix(account_id, certificate.name)}{certificate.id}.json"
