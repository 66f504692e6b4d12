"""What a sweep takes, and puts on the queue: the same envelope that EventBridge uses."""

import json
import uuid
from collections.abc import Iterator, Sequence

from pydantic import AwareDatetime

from models.base import Model
from models.events import SWEEP, SWEEP_SOURCE
from models.finding import Finding, WorkflowStatus
from models.outcome import OUTCOME_FIELD

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
# has it at 1 MiB by now; older endpoints, and what receives it, take a quarter of that.
MESSAGE_BYTES = 256 * 1024
ENVELOPE_BYTES = 1024


def is_left_open(finding: Finding) -> bool:
    """Return whether a finding is still to be worked on: NEW, or NOTIFIED by this application.

    One that a person or a ticket system set to NOTIFIED is theirs.
    """
    if finding.find_foreign_trait() or finding.find_settled_trait():
        return False
    if finding.workflow.status is WorkflowStatus.NOTIFIED:
        return OUTCOME_FIELD in finding.user_defined_fields
    return finding.workflow.status is WorkflowStatus.NEW


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
