"""The archive's records: the write-ahead log of deletions.

Invocations may work on one certificate at once, and its record has the attempt of each. The one
that says most is the record's own; see `compose_record`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pydantic import AwareDatetime, Field

from models.base import Model
from models.certificate import CertificateFiles, CertificateIdentifier, ServerCertificate
from models.reference import FRESH_FOR, References

# After its proof went stale, an attempt's last request may still be on its way for as long as the
# SDK waits for an answer.
SETTLED_AFTER = FRESH_FOR + timedelta(minutes=1)


class ArchiveState(StrEnum):
    """How far an attempt to delete a certificate has come."""

    # IAM was asked, or is about to be.
    DELETING = "deleting"
    # IAM accepted.
    DELETED = "deleted"
    # IAM refused, or was never asked.
    KEPT = "kept"


# What says more about a certificate stands before what says less.
WEIGHT = {ArchiveState.KEPT: 0, ArchiveState.DELETING: 1, ArchiveState.DELETED: 2}


class Attempt(Model):
    """All that can be known of a certificate right before its deletion, and why it was allowed."""

    id: str = Field(alias="attemptId", default="")
    state: ArchiveState
    archived_at: AwareDatetime = Field(alias="archivedAt")
    files: CertificateFiles
    finding_ids: tuple[str, ...] = Field(alias="findingIds")
    evidence: References
    regions_out_of_scope: tuple[str, ...] = Field(alias="regionsOutOfScope", default=())

    def settle(self, state: ArchiveState) -> "Attempt":
        """Return this attempt with what came of it."""
        return self.model_copy(update={"state": state})

    def may_still_delete(self, now: datetime) -> bool:
        """Return whether IAM may still get this attempt's request at `now` (UTC)."""
        return (
            self.state is ArchiveState.DELETING and now - self.evidence.started_at < SETTLED_AFTER
        )


class ArchiveRecord(Attempt):
    """The record of one certificate: the attempt that says most, and the others that count."""

    others: tuple[Attempt, ...] = ()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt of the record, the one that says most first."""
        return (Attempt.model_validate(dict(self)), *self.others)


class StoredRecord(NamedTuple):
    """A record, where it is stored, such as `s3://bucket/certificates/….json`, and its version."""

    location: str
    record: ArchiveRecord
    version: str


def compose_record(attempts: Iterable[Attempt]) -> ArchiveRecord:
    """Return the record of attempts on one certificate, at least one.

    A delete that IAM accepted says more than one that has begun, and that more than none; of equals
    the latest counts.
    """
    ranked = sorted(attempts, key=lambda one: (WEIGHT[one.state], one.archived_at), reverse=True)
    first, *others = ranked
    return ArchiveRecord.model_validate({**dict(first), "others": others})


def begin_attempt(known: ArchiveRecord | None, attempt: Attempt) -> ArchiveRecord:
    """Return a certificate's record with an attempt that begins.

    The certificate was read a moment before, so an earlier attempt that can delete nothing any more
    has not deleted it, and drops out. Earlier versions of the record keep it.

    Args:
        known: the record so far, if there is one.
        attempt: the attempt; repeating it changes nothing.
    """
    earlier = [
        one
        for one in (known.attempts if known else ())
        if one.id != attempt.id
        and (one.state is ArchiveState.DELETED or one.may_still_delete(attempt.archived_at))
    ]
    return compose_record((*earlier, attempt))


def settle_attempt(
    known: ArchiveRecord | None, attempt: Attempt, state: ArchiveState
) -> ArchiveRecord:
    """Return a certificate's record with what came of an attempt; those of others stay as they are.

    Args:
        known: the record so far; None if somebody removed it.
        attempt: the attempt as it was begun.
        state: what came of it.
    """
    others = [one for one in (known.attempts if known else ()) if one.id != attempt.id]
    return compose_record((*others, attempt.settle(state)))


def find_vouching(
    stored: Iterable[StoredRecord],
    identifier: CertificateIdentifier,
    since: datetime,
    certificates: Sequence[ServerCertificate],
    seen: Mapping[str, datetime],
) -> StoredRecord | None:
    """Return the record that vouches for our deletion of a certificate that is gone, or None.

    The newest record under the identifier decides: an older one may be of a certificate that had
    the name before.

    Args:
        stored: records of the account, which may be of other certificates as well.
        identifier: how a finding names the certificate that is gone.
        since: when that finding was created (UTC); an older record is about an older finding.
        certificates: what IAM has in the account: a certificate among them was renamed, not
            deleted, whatever its record says.
        seen: when the findings said last that a certificate is there, by certificate id (UTC): what
            had begun before has not deleted it.
    """
    about = [
        one
        for one in stored
        if identifier.means(one.record.files.certificate) and one.record.archived_at >= since
    ]
    newest = max(about, key=lambda one: one.record.archived_at, default=None)
    if newest is None or newest.record.state is ArchiveState.KEPT:
        return None
    certificate_id = newest.record.files.certificate.id
    if certificate_id in {certificate.id for certificate in certificates}:
        return None
    # Findings tell whole seconds.
    archived_at = newest.record.archived_at.replace(microsecond=0)
    later = {seen_id for seen_id, seen_at in seen.items() if seen_at >= archived_at}
    if newest.record.state is ArchiveState.DELETED:
        # Another certificate had the name since, and nothing says who deleted that one.
        later -= {certificate_id}
    return None if later else newest


def is_attempted_besides(stored: Iterable[StoredRecord], attempt: Attempt) -> bool:
    """Return whether another attempt on a certificate has begun, and may have deleted it."""
    return any(
        one.state is ArchiveState.DELETING and one.id != attempt.id
        for _, record, _ in stored
        if record.files.certificate.id == attempt.files.certificate.id
        for one in record.attempts
    )


def mark_kept(stored: Iterable[StoredRecord], attempt: Attempt) -> list[StoredRecord]:
    """Return records in which an attempt is known to have deleted nothing."""
    return [
        one._replace(record=settle_attempt(one.record, attempt, ArchiveState.KEPT))
        if attempt.id in {known.id for known in one.record.attempts}
        else one
        for one in stored
    ]


def compose_prefix(account_id: str, name: str | None = None) -> str:
    """Return the key prefix of an account's records, or of those of one certificate name."""
    return f"certificates/{account_id}/" + (f"{name}/" if name else "")


def compose_key(account_id: str, certificate: ServerCertificate) -> str:
    """Return a record's key: certificates/<account>/<name>/<certificate id>.json."""
    return f"{compose_prefix(account_id, certificate.name)}{certificate.id}.json"
