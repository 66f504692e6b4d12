"""Which findings are left alone although they are ours: closed or taken by somebody else."""

from models.events import EntryPoint
from models.finding import Finding, WorkflowStatus
from models.outcome import FIELD_COUNT, OUTCOME_FIELD, RESOLVING, UPDATED_BY


def find_taken_trait(finding: Finding, entry_point: EntryPoint) -> str | None:
    """Return why a finding, as it is now, is somebody else's to work on, or None if it is not.

    A person who uses the custom action asks for it, whoever closed or took the finding before.
    """
    status = finding.workflow.status
    if entry_point is EntryPoint.CUSTOM_ACTION or status is WorkflowStatus.NEW:
        return None
    if _is_left_by_us(finding):
        return None
    return f"somebody else set the finding to {status}; its custom action would still work"


def _is_left_by_us(finding: Finding) -> bool:
    """Return whether a finding may have its workflow status from this application."""
    fields = finding.user_defined_fields
    if OUTCOME_FIELD not in fields:
        # Where the fields of others left no room for ours, the note alone says who wrote it.
        return len(fields) >= FIELD_COUNT and finding.note.updated_by == UPDATED_BY
    if finding.workflow.status is WorkflowStatus.RESOLVED:
        # What we only reported on was resolved by somebody else.
        return fields[OUTCOME_FIELD] in RESOLVING
    return True
