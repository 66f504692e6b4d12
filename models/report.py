"""The report: what is written on findings, and what people are notified of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from models.base import Model
from models.finding import Finding, FindingKey, WorkflowStatus
from models.outcome import (
    CERTIFICATE_FIELD,
    CERTIFICATE_ID_FIELD,
    CHECKED_AT_FIELD,
    FIELD_COUNT,
    FIELD_VALUE_LENGTH,
    OUTCOME_FIELD,
    REFERENCES_FIELD,
    UNKNOWN_ID,
    Conclusion,
    Outcome,
)
from models.text import fit_words


class CertificateReport(Model):
    """What came of one certificate, for every finding about it."""

    account_id: str
    # The certificate's ARN, or the closest that the finding has; None if it names no certificate.
    arn: str | None
    resource_id: str
    certificate_id: str | None
    conclusion: Conclusion

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        return self.conclusion.outcome

    def is_written_on(self, finding: Finding) -> bool:
        """Return whether a finding already says this: see `Conclusion.is_written_on`."""
        return self.conclusion.is_written_on(finding, self.certificate_id)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What Security Hub made of an update, finding by finding."""

    # Refused for good, with Security Hub's error code.
    rejected: dict[FindingKey, str] = field(default_factory=dict)
    # To be retried later.
    postponed: dict[FindingKey, str] = field(default_factory=dict)


class FindingUpdate(Model):
    """What is written on findings that get the same note and fields."""

    status: WorkflowStatus
    note: str
    fields: dict[str, str]
    findings: tuple[FindingKey, ...]


def merge_fields(theirs: dict[str, str], ours: dict[str, str]) -> dict[str, str]:
    """Return the user-defined fields of a finding with ours added.

    An update replaces the fields as a whole, so what others wrote is repeated; where more than
    50 would be needed, theirs win.
    """
    merged = {name: value for name, value in theirs.items() if name not in ours}
    for name, value in ours.items():
        if len(merged) < FIELD_COUNT:
            merged[name] = value
    return merged


def describe_fields(report: CertificateReport, checked_at: datetime) -> dict[str, str]:
    """Return the user-defined fields that carry a report; `checked_at` is in UTC."""
    return {
        # First what tells an unchanged outcome, in case there is not room for all.
        OUTCOME_FIELD: report.outcome.value,
        REFERENCES_FIELD: report.conclusion.references_field,
        CERTIFICATE_ID_FIELD: report.certificate_id or UNKNOWN_ID,
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
    """One message for people: what came of the certificates of an account, or of all of them."""

    account_id: str
    outcome: Outcome | Literal["digest"]
    subject: str
    text: str


def compose_notification(
    account_id: str, outcome: Outcome, reports: Sequence[tuple[CertificateReport, Sequence[str]]]
) -> Notification:
    """Return the message about reports of one account and outcome, each with its finding ids."""
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
