"""What a sweep takes, and puts on the queue: the same envelope that EventBridge uses."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta

from pydantic import AwareDatetime

from models.base import Model
from models.events import SWEEP, SWEEP_SOURCE, EntryPoint
from models.finding import Finding, WorkflowStatus
from models.outcome import RESOLVING, Outcome, read_checked_at, read_outcome
from models.refusal import find_taken_trait

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
# has it at 1 MiB by now; older endpoints, and what receives it, take a quarter of that.
MESSAGE_BYTES = 256 * 1024
ENVELOPE_BYTES = 1024

# Checks come once a day or more often, and one may end after a delete that it has not seen. What
# fails later than that is still there.
EVALUATED_AGAIN_AFTER = timedelta(hours=26)


def is_left_open(finding: Finding) -> bool:
    """Return whether a finding is still to be worked on.

    It is while it is NEW, or NOTIFIED by this application, or RESOLVED by it although Security Hub
    evaluated it again since. What a person or a ticket system closed or took is theirs.
    """
    if finding.find_foreign_trait() or finding.find_settled_trait():
        return False
    if find_taken_trait(finding, EntryPoint.SWEEP):
        return False
    return finding.workflow.status is not WorkflowStatus.RESOLVED or _was_evaluated_again(finding)


def find_open_outcome(finding: Finding) -> Outcome | None:
    """Return what came of a finding that is left open, or None if that is not known any more.

    It is not of one that was closed and is open again.
    """
    outcome = read_outcome(finding)
    return None if outcome in RESOLVING else outcome


def is_closed_by_us(finding: Finding) -> bool:
    """Return whether this application set a finding to RESOLVED, and nobody changed that since."""
    return (
        finding.workflow.status is WorkflowStatus.RESOLVED
        and find_taken_trait(finding, EntryPoint.SWEEP) is None
    )


def _was_evaluated_again(finding: Finding) -> bool:
    if finding.updated_at is None:
        return False
    checked_at = read_checked_at(finding)
    # Another look does no harm; a finding that was closed by mistake would.
    return checked_at is None or finding.updated_at - checked_at > EVALUATED_AGAIN_AFTER


class Envelope(Model):
    """What the messages of one sweep have in common; `time` is in UTC."""

    account: str
    region: str
    time: AwareDatetime


def compose_messages(envelope: Envelope, findings: Sequence[Finding]) -> Iterator[str]:
    """Return the bodies of messages that carry findings of one account, as few as there can be.

    A finding has only what the application reads of it: it is read anew anyway.
    """
    chosen: list[str] = []
    size = ENVELOPE_BYTES
    for finding in findings:
        text = finding.model_dump_json(by_alias=True)
        added = len(text.encode()) + len(",")
        if chosen and size + added > MESSAGE_BYTES:
            yield _compose_message(envelope, chosen)
            chosen, size = [], ENVELOPE_BYTES
        chosen.append(text)
        size += added
    if chosen:
        yield _compose_message(envelope, chosen)


def _compose_message(envelope: Envelope, findings: Sequence[str]) -> str:
    head = {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{envelope.time} {findings[0]}")),
        "detail-type": SWEEP,
        "source": SWEEP_SOURCE,
        "account": envelope.account,
        "time": envelope.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": envelope.region,
        "resources": [],
    }
    detail = f'{{"findings": [{",".join(findings)}]}}'
    return f'{json.dumps(head)[:-1]}, "detail": {detail}}}'
