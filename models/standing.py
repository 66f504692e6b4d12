"""How the certificates of an organization stand, by what their findings say, for `iam26 status`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field, computed_field

from models.base import Model
from models.counts import count_in_order
from models.finding import Finding, WorkflowStatus
from models.outcome import (
    CERTIFICATE_ID_FIELD,
    REFERENCES_FIELD,
    UNKNOWN_ID,
    UPDATED_BY,
    Outcome,
    name_certificate,
    read_checked_at,
    read_outcome,
)
from models.sweep import find_open_outcome, is_closed_by_us, is_left_open


class Unsettled(StrEnum):
    """How a certificate stands that no outcome of this application tells about."""

    PENDING = "pending"
    SUPPRESSED = "suppressed"
    TAKEN = "taken"


State = Outcome | Unsettled

# In the order in which a reader needs them.
SHOWN_STATES: Mapping[State, str] = {
    Outcome.UNVERIFIED: "unverified",
    Outcome.IN_USE: "in use",
    Outcome.WOULD_DELETE: "would be deleted (dry run)",
    Unsettled.PENDING: "not examined yet",
    Outcome.IN_GRACE_PERIOD: "in the grace period",
    Outcome.EXEMPT: "exempt",
    Unsettled.SUPPRESSED: "suppressed",
    Unsettled.TAKEN: "closed or taken by others",
    Outcome.NOT_EXPIRED: "not expired",
    Outcome.DELETED: "deleted",
    Outcome.ALREADY_GONE: "already gone",
}
RANKS = {state: rank for rank, state in enumerate(SHOWN_STATES)}


class Standing(Model):
    """How one certificate stands.

    Attributes:
        account: the account's twelve digits.
        certificate: its ARN, or what its finding names.
        certificate_id: its id; None if that is not known.
        state: its outcome, or why there is none: `pending`, `suppressed` or `taken`.
        workflow_status: the workflow status of its newest finding.
        age_days: how many days ago its first finding was created.
        checked_at: when this application examined it last (UTC); None if it never did.
        references: what refers to it or which gaps there are, as far as a finding's field has room.
        note: the note that this application wrote.
        findings: the ids of its findings.
    """

    account: str
    certificate: str
    certificate_id: str | None = Field(alias="certificateId", default=None)
    state: State = Field(alias="outcome")
    workflow_status: WorkflowStatus = Field(alias="workflowStatus")
    age_days: int = Field(alias="ageDays")
    checked_at: AwareDatetime | None = Field(alias="checkedAt", default=None)
    references: str = ""
    note: str = ""
    findings: tuple[str, ...]


class StatusReport(Model):
    """How the certificates of all accounts stand.

    Attributes:
        generated_at: when Security Hub was asked (UTC).
        region: the Region whose Security Hub was asked.
        certificates: how each certificate stands, the most urgent first.
        not_understood: the findings that could not be understood, with the reason.
    """

    generated_at: AwareDatetime = Field(alias="generatedAt")
    region: str
    certificates: tuple[Standing, ...]
    not_understood: tuple[str, ...] = Field(alias="notUnderstood", default=())

    @computed_field  # type: ignore[prop-decorator] # https://github.com/python/mypy/issues/1362
    @property
    def summary(self) -> dict[State, int]:
        """How many certificates stand in each state."""
        return count_states(self.certificates)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def accounts(self) -> dict[str, dict[State, int]]:
        """The same by account."""
        by_account: dict[str, list[Standing]] = defaultdict(list)
        for one in self.certificates:
            by_account[one.account].append(one)
        return {account: count_states(ones) for account, ones in sorted(by_account.items())}


def describe_standings(findings: Iterable[Finding], now: datetime) -> tuple[Standing, ...]:
    """Return how the certificates of findings stand; findings of several standards are one.

    Findings that are not FAILED and ACTIVE say nothing about today, and are left out, as are those
    that another product imported under the control's id.

    Args:
        findings: findings of the control, of whichever accounts.
        now: the time (UTC).
    """
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if _is_counted(finding):
            groups[finding.account_id, name_certificate(finding)].append(finding)
    standings = [_describe(ones, now) for ones in groups.values()]
    return tuple(
        sorted(standings, key=lambda one: (RANKS[one.state], -one.age_days, one.certificate))
    )


def count_states(standings: Iterable[Standing]) -> dict[State, int]:
    """Return how many certificates stand in each state, in the order of `SHOWN_STATES`."""
    return count_in_order((one.state for one in standings), SHOWN_STATES)


def _describe(findings: Sequence[Finding], now: datetime) -> Standing:
    """Return how the certificate of some findings stands, by what tells most."""
    oldest = min(one.created_at for one in findings)
    told = min(findings, key=lambda one: RANKS[_find_state(one)])
    fields = told.user_defined_fields
    certificate_id = fields.get(CERTIFICATE_ID_FIELD, UNKNOWN_ID)
    return Standing(
        account=told.account_id,
        certificate=name_certificate(told),
        certificate_id=None if certificate_id == UNKNOWN_ID else certificate_id,
        state=_find_state(told),
        workflow_status=told.workflow.status,
        age_days=max(0, (now - oldest).days),
        checked_at=read_checked_at(told),
        references=fields.get(REFERENCES_FIELD, ""),
        note=(told.note.text or "") if told.note.updated_by == UPDATED_BY else "",
        findings=tuple(sorted(one.id for one in findings)),
    )


def _is_counted(finding: Finding) -> bool:
    is_failed = finding.compliance.status == "FAILED" and finding.record_state == "ACTIVE"
    return is_failed and finding.find_foreign_trait() is None


def _find_state(finding: Finding) -> State:
    if finding.workflow.status is WorkflowStatus.SUPPRESSED:
        return Unsettled.SUPPRESSED
    if is_left_open(finding):
        return find_open_outcome(finding) or Unsettled.PENDING
    closed_as = read_outcome(finding) if is_closed_by_us(finding) else None
    return closed_as or Unsettled.TAKEN
