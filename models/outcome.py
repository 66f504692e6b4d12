"""What can come of a finding, and how it is written where people look."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.base import Model
from models.finding import Finding, FindingKey, WorkflowStatus
from models.text import fingerprint, fit_list, fit_sentences, fit_words

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
        """Whether people are told through the topic."""
        return self in {
            Outcome.DELETED,
            Outcome.WOULD_DELETE,
            Outcome.IN_USE,
            Outcome.UNVERIFIED,
        }


class Conclusion(Model):
    """An outcome with its evidence."""

    outcome: Outcome
    # "Kept: … is in use by", followed by the items if there are any.
    lead: str
    # What refers to the certificate, or what the proof lacks: names alone, no counts or times,
    # so that the same state of the world always gives the same items.
    items: tuple[str, ...] = ()
    # Sentences that follow as far as there is room, the most important first.
    details: tuple[str, ...] = ()
    examined: str = "nothing examined"

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
            return self.examined
        # Cut lists of different sets must stay different: see `is_same_as`.
        mark = f" [{fingerprint(self.items)}]"
        return fit_list(self.items, FIELD_VALUE_LENGTH, mark=mark)

    def is_written_on(self, finding: Finding) -> bool:
        """Tell whether a finding already says this: same outcome, same referrers or gaps."""
        fields = finding.user_defined_fields
        if len(fields) >= FIELD_COUNT and REFERENCES_FIELD not in fields:
            # There was no room for ours; the note says the same, counts included.
            return (finding.note.updated_by, finding.note.text) == (UPDATED_BY, self.note)
        if fields.get(OUTCOME_FIELD) != self.outcome:
            return False
        return not self.items or fields.get(REFERENCES_FIELD) == self.references_field


class CertificateReport(Model):
    """What came of one certificate, for every finding about it."""

    account_id: str
    # The certificate's ARN, or the closest the finding gives; None if it names no certificate.
    arn: str | None
    resource_id: str
    conclusion: Conclusion

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        return self.conclusion.outcome


def is_left_open(finding: Finding) -> bool:
    """Tell whether a finding is still to be worked on: NEW, or NOTIFIED by this application.

    One that a person or a ticket system set to NOTIFIED is theirs.
    """
    if finding.find_foreign_trait() or finding.find_settled_trait():
        return False
    if finding.workflow.status is WorkflowStatus.NOTIFIED:
        return OUTCOME_FIELD in finding.user_defined_fields
    return finding.workflow.status is WorkflowStatus.NEW


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What Security Hub made of an update, finding by finding."""

    # Refused for good, with Security Hub's error code.
    rejected: dict[FindingKey, str] = field(default_factory=dict)
    # To be tried again later.
    postponed: dict[FindingKey, str] = field(default_factory=dict)


class FindingUpdate(Model):
    """What is written on findings that get the same note and fields."""

    region: str
    status: WorkflowStatus
    note: str
    fields: dict[str, str]
    findings: tuple[FindingKey, ...]


def merge_fields(theirs: dict[str, str], ours: dict[str, str]) -> dict[str, str]:
    """Give the user-defined fields of a finding with ours added.

    An update replaces the fields as a whole, so what others wrote is repeated; where more than
    50 would be needed, theirs win.
    """
    merged = {name: value for name, value in theirs.items() if name not in ours}
    for name, value in ours.items():
        if len(merged) < FIELD_COUNT:
            merged[name] = value
    return merged


def describe_fields(report: CertificateReport, checked_at: datetime) -> dict[str, str]:
    """Give the user-defined fields that carry a report; `checked_at` is in UTC."""
    return {
        # First what tells an unchanged outcome, in case there is not room for all.
        OUTCOME_FIELD: report.outcome.value,
        REFERENCES_FIELD: report.conclusion.references_field,
        CERTIFICATE_FIELD: fit_words(report.arn or report.resource_id, FIELD_VALUE_LENGTH),
        CHECKED_AT_FIELD: checked_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


SUBJECT_LENGTH = 100
MESSAGE_BYTES = 256 * 1024

HEADLINES = {
    Outcome.DELETED: "deleted",
    Outcome.WOULD_DELETE: "would be deleted (dry run)",
    Outcome.IN_USE: "expired but in use",
    Outcome.UNVERIFIED: "kept because the proof is incomplete",
}


class Notification(Model):
    """One message for people: what came of the certificates of an account."""

    account_id: str
    outcome: Outcome
    subject: str
    text: str


def compose_notification(
    account_id: str, outcome: Outcome, reports: Sequence[tuple[CertificateReport, Sequence[str]]]
) -> Notification:
    """Give the message about reports of one account and outcome, each with its finding ids."""
    noun = "certificate" if len(reports) == 1 else "certificates"
    subject = f"IAM.26: {len(reports)} {noun} {HEADLINES[outcome]} in account {account_id}"
    parts = [f"{subject}.\n"]
    room = MESSAGE_BYTES - len(subject.encode()) - 200
    for shown, (report, finding_ids) in enumerate(reports):
        part = "\n".join(
            (
                f"- {report.arn or report.resource_id}",
                f"  {report.conclusion.note}",
                *(f"  Finding: {one}" for one in finding_ids),
                "",
            )
        )
        room -= len(part.encode()) + 1
        if room < 0:
            parts.append(f"… and {len(reports) - shown} more: see their findings in Security Hub.")
            break
        parts.append(part)
    return Notification(
        account_id=account_id,
        outcome=outcome,
        subject=subject[:SUBJECT_LENGTH],
        text="\n".join(parts),
    )
