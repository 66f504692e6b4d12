"""What can come of a finding, and how it is written where people look."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from models.base import Model
from models.finding import Finding, WorkflowStatus
from models.reference import without_counts
from models.text import fingerprint, fit_list, fit_sentences

UPDATED_BY = "iam26-remediation"

# Limits of BatchUpdateFindings, none of which botocore checks:
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
NOTE_LENGTH = 512
FIELD_COUNT = 50
FIELD_VALUE_LENGTH = 1024

OUTCOME_FIELD = "iam26Outcome"
CERTIFICATE_FIELD = "iam26Certificate"
CHECKED_AT_FIELD = "iam26CheckedAt"
REFERENCES_FIELD = "iam26References"
CERTIFICATE_ID_FIELD = "iam26CertificateId"
COMPARED_FIELDS = {OUTCOME_FIELD, CERTIFICATE_ID_FIELD, REFERENCES_FIELD}
# An update cannot remove the id that an earlier outcome left.
UNKNOWN_ID = "unknown"


class Outcome(StrEnum):
    """What came of a finding."""

    DELETED = "deleted"
    ALREADY_GONE = "already-gone"
    WOULD_DELETE = "would-delete"
    NOT_EXPIRED = "not-expired"
    IN_GRACE_PERIOD = "in-grace-period"
    EXEMPT = "exempt"
    IN_USE = "in-use"
    UNVERIFIED = "unverified"
    REFUSED = "refused"

    @property
    def workflow_status(self) -> WorkflowStatus | None:
        """The workflow status the finding gets; None leaves it as it is."""
        match self:
            case Outcome.DELETED | Outcome.ALREADY_GONE:
                return WorkflowStatus.RESOLVED
            case Outcome.REFUSED:
                return None
            case _:
                return WorkflowStatus.NOTIFIED

    @property
    def notifies(self) -> bool:
        """Whether people are notified through the topic."""
        return self in {
            Outcome.DELETED,
            Outcome.WOULD_DELETE,
            Outcome.IN_USE,
            Outcome.UNVERIFIED,
        }


# A finding that is refused is left as it is.
WRITTEN = frozenset(Outcome) - {Outcome.REFUSED}

# What sets a finding to RESOLVED.
RESOLVING = frozenset(
    outcome for outcome in Outcome if outcome.workflow_status is WorkflowStatus.RESOLVED
)


class Conclusion(Model):
    """An outcome with its evidence."""

    outcome: Outcome
    # "Kept: … is in use by", followed by the items if there are any.
    lead: str
    # What refers to the certificate, or what the proof lacks: names alone, no counts or times,
    # so that the same state of the world always has the same items.
    items: tuple[str, ...] = ()
    # Sentences that follow as far as there is room, the most important first.
    details: tuple[str, ...] = ()
    examined: str = "nothing examined"
    # What the note promises and another day or another setting may change, such as a date.
    promise: str = ""

    @property
    def references(self) -> tuple[str, ...]:
        """What refers to the certificate."""
        return self.items if self.outcome is Outcome.IN_USE else ()

    @property
    def note(self) -> str:
        """The evidence in one or two plain sentences of at most 512 characters."""
        if not self.items:
            return fit_sentences((self.lead, *self.details), NOTE_LENGTH)
        # The first of the details says what to do, which matters more than the tenth item.
        advice = self.details[0] if self.details else ""
        room = NOTE_LENGTH - len(self.lead) - len(advice) - len(" . ")
        listed = f"{self.lead} {fit_list(self.items, max(room, NOTE_LENGTH // 4))}."
        return fit_sentences((listed, *self.details), NOTE_LENGTH)

    @property
    def references_field(self) -> str:
        """What refers to the certificate or what the proof lacks, else what was examined."""
        if not self.items:
            return self.promise or self.examined
        # Cut lists of different sets must stay different: see `is_written_on`.
        mark = f" [{fingerprint(self.items)}]"
        return fit_list(self.items, FIELD_VALUE_LENGTH, mark=mark)

    def is_written_on(self, finding: Finding, certificate_id: str | None) -> bool:
        """Return whether a finding already says this of the same certificate.

        The same are outcome, certificate id, referrers or gaps, and promise; not counts and times.
        """
        fields = finding.user_defined_fields
        if len(fields) >= FIELD_COUNT and COMPARED_FIELDS - fields.keys():
            # There was no room for ours, but the note says the same.
            written = (finding.note.updated_by, without_counts(finding.note.text or ""))
            return written == (UPDATED_BY, without_counts(self.note))
        if fields.get(OUTCOME_FIELD) != self.outcome:
            return False
        if fields.get(CERTIFICATE_ID_FIELD) != (certificate_id or UNKNOWN_ID):
            return False
        if not self.items and not self.promise:
            return True
        return fields.get(REFERENCES_FIELD) == self.references_field


def read_outcome(finding: Finding) -> Outcome | None:
    """Return the outcome that is written on a finding, or None if none that is ever written is."""
    written = finding.user_defined_fields.get(OUTCOME_FIELD)
    return Outcome(written) if written in WRITTEN else None


def name_certificate(finding: Finding) -> str:
    """Return what a finding calls its certificate: the ARN in our field, else what it has."""
    return finding.user_defined_fields.get(CERTIFICATE_FIELD) or finding.resource_id or finding.id


def read_checked_at(finding: Finding) -> datetime | None:
    """Return when this application examined a finding (UTC), or None if that is not understood."""
    written = finding.user_defined_fields.get(CHECKED_AT_FIELD)
    if written is None and finding.note.updated_by == UPDATED_BY:
        # The fields of others left no room for ours.
        return finding.note.updated_at
    try:
        checked_at = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return checked_at if checked_at.tzinfo else None


def list_sightings(findings: Iterable[Finding]) -> dict[str, datetime]:
    """Return when findings last said of certificates, by their ids, that they were there (UTC)."""
    seen: dict[str, datetime] = {}
    for finding in findings:
        fields = finding.user_defined_fields
        certificate_id = fields.get(CERTIFICATE_ID_FIELD)
        checked_at = read_checked_at(finding)
        if certificate_id and checked_at and fields.get(OUTCOME_FIELD) not in RESOLVING:
            seen[certificate_id] = max(checked_at, seen.get(certificate_id, checked_at))
    return seen
