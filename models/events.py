"""What can arrive: an SQS batch of EventBridge events, or one bare EventBridge event."""

from typing import Self

from pydantic import Field, ValidationError, field_validator, model_validator

from models.base import Model, Received
from models.errors import EventError, describe_invalid
from models.finding import Finding

SECURITY_HUB_SOURCE = "aws.securityhub"
SWEEP_SOURCE = "iam26-remediation"
IMPORTED = "Security Hub Findings - Imported"
CUSTOM_ACTION = "Security Hub Findings - Custom Action"
SWEEP = "IAM.26 Sweep"

KNOWN_EVENTS = frozenset(
    {
        (SECURITY_HUB_SOURCE, IMPORTED),
        (SECURITY_HUB_SOURCE, CUSTOM_ACTION),
        (SWEEP_SOURCE, SWEEP),
    }
)


class FindingsDetail(Model):
    """The findings of an event."""

    findings: tuple[Finding, ...]

    @field_validator("findings")
    @classmethod
    def _has_findings(cls, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        # A minimum length would also fail where a finding is invalid, and name the wrong field.
        if not findings:
            raise ValueError("has no finding")
        return findings


class FindingsEvent(Received):
    """An EventBridge event that carries findings.

    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    """

    id: str
    source: str
    detail_type: str = Field(alias="detail-type")
    account: str
    region: str = Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$")
    resources: tuple[str, ...] = ()
    detail: FindingsDetail

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if (self.source, self.detail_type) not in KNOWN_EVENTS:
            raise ValueError(
                f"source {self.source!r} with detail-type {self.detail_type!r}"
                " is no event this application knows"
            )
        return self


class RecordAttributes(Received):
    """What SQS knows of a message."""

    receive_count: int = Field(alias="ApproximateReceiveCount", default=1)


class SqsRecord(Model):
    """One message of the queue, of which only the id is known yet."""

    message_id: str = Field(alias="messageId", min_length=1)
    body: object = None
    attributes: object = None


class RecordContent(Received):
    """What a message says; its body is a findings event, not yet parsed."""

    body: str
    attributes: RecordAttributes = RecordAttributes()


class SqsBatch(Model):
    """What the queue hands to the function."""

    records: tuple[SqsRecord, ...] = Field(alias="Records")


def parse_event(event: object) -> FindingsEvent:
    """Return the findings event in a decoded EventBridge event.

    Raises:
        EventError: it is no event this application knows; the message names the field.
    """
    try:
        return FindingsEvent.model_validate(event)
    except ValidationError as error:
        raise EventError(describe_invalid(error)) from error


def parse_record(record: SqsRecord) -> tuple[FindingsEvent, bool]:
    """Return the findings event in an SQS record, and whether it was delivered before.

    Raises:
        EventError: the body is no JSON, or no event this application knows.
    """
    try:
        content = RecordContent.model_validate(record.model_dump())
        event = FindingsEvent.model_validate_json(content.body)
    except ValidationError as error:
        raise EventError(describe_invalid(error)) from error
    return event, content.attributes.receive_count > 1


def parse_batch(event: object) -> SqsBatch:
    """Return the SQS records of an invocation.

    Raises:
        EventError: a record has no message id, so it could not even be reported as failed.
    """
    try:
        return SqsBatch.model_validate(event)
    except ValidationError as error:
        raise EventError(describe_invalid(error)) from error
