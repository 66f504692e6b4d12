"""What can arrive: an SQS batch of EventBridge events, or one bare EventBridge event."""

from enum import StrEnum
from typing import Self

from pydantic import Field, ValidationError, field_validator, model_validator

from models.base import Model, Received
from models.errors import EventError, describe_invalid
from models.finding import Finding, Stranger, parse_finding

SECURITY_HUB_SOURCE = "aws.securityhub"
SWEEP_SOURCE = "iam26-remediation"
IMPORTED = "Security Hub Findings - Imported"
CUSTOM_ACTION = "Security Hub Findings - Custom Action"
SWEEP = "IAM.26 Sweep"


class EntryPoint(StrEnum):
    """The way a finding came in, which decides how much of it is refused."""

    IMPORTED = "imported"
    CUSTOM_ACTION = "custom-action"
    SWEEP = "sweep"


ENTRY_POINTS = {
    (SECURITY_HUB_SOURCE, IMPORTED): EntryPoint.IMPORTED,
    (SECURITY_HUB_SOURCE, CUSTOM_ACTION): EntryPoint.CUSTOM_ACTION,
    (SWEEP_SOURCE, SWEEP): EntryPoint.SWEEP,
}


class FindingsDetail(Model):
    """The findings of an event, not yet parsed: one that is not understood stops no other."""

    findings: tuple[object, ...]

    @field_validator("findings")
    @classmethod
    def _has_findings(cls, findings: tuple[object, ...]) -> tuple[object, ...]:
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
        if (self.source, self.detail_type) not in ENTRY_POINTS:
            raise ValueError(
                f"source {self.source!r} with detail-type {self.detail_type!r}"
                " is no event this application knows"
            )
        return self

    @property
    def entry_point(self) -> EntryPoint:
        """The way its findings came in."""
        return ENTRY_POINTS[self.source, self.detail_type]


class SqsRecord(Model):
    """One message of the queue, of which only the id is known yet."""

    message_id: str = Field(alias="messageId", min_length=1)
    body: object = None


class RecordContent(Received):
    """What a message says; its body is a findings event, not yet parsed."""

    body: str


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


def parse_record(record: SqsRecord) -> FindingsEvent:
    """Return the findings event in an SQS record.

    Raises:
        EventError: the body is no JSON, or no event this application knows.
    """
    try:
        content = RecordContent.model_validate(record.model_dump())
        return FindingsEvent.model_validate_json(content.body)
    except ValidationError as error:
        raise EventError(describe_invalid(error)) from error


def parse_findings(event: FindingsEvent) -> list[Finding | Stranger | EventError]:
    """Return each finding of an event, or the error that names what is not understood of it."""
    return [
        parse_finding(raw, ("detail", "findings", number))
        for number, raw in enumerate(event.detail.findings)
    ]


def parse_batch(event: object) -> SqsBatch:
    """Return the SQS records of an invocation.

    Raises:
        EventError: a record has no message id, so it could not even be reported as failed.
    """
    try:
        return SqsBatch.model_validate(event)
    except ValidationError as error:
        raise EventError(describe_invalid(error)) from error
