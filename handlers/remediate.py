"""Lambda: findings about expired certificates come in, proven deletions go out.

The path of a finding:

    parse                                  here, into the models of `models.events`
    refuse, refresh, group by account      `handlers.remediation.batch`
    list, screen, scan, prove              `handlers.remediation.account`, by `models.proof`
    act: read again, archive, delete       `handlers.remediation.deletion`
    report: topic, finding, metrics, log   `handlers.remediation.report`
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging.correlation_paths import EVENT_BRIDGE
from aws_lambda_powertools.utilities.typing import LambdaContext

from handlers.observability import MetricUnit, correlated, flush_metrics, logger, metrics
from handlers.remediation.batch import Remediation
from handlers.remediation.cases import Arrival, Handled, Postponed, Results
from handlers.remediation.deadline import Deadline
from handlers.remediation.report import report_stranger
from handlers.wiring import wire_remediation
from models.conclusions import conclude_refused
from models.errors import EventError, TransientError
from models.events import (
    FindingsEvent,
    SqsRecord,
    parse_batch,
    parse_event,
    parse_findings,
    parse_record,
)
from models.finding import Finding, FindingKey, Stranger

__all__ = ["EventError", "TransientError", "handler"]


@logger.inject_lambda_context(correlation_id_path=EVENT_BRIDGE)
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Work on an SQS batch of EventBridge events, or on one bare EventBridge event.

    Returns:
        For a batch the ids of the messages to be retried, as
        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html has it;
        for one event its outcomes, in the order of its findings.

    Raises:
        SettingsError: an environment variable cannot be used.
        EventError: a bare event is none this application knows, or one of its findings is not
            understood; the others were done.
        TransientError: a finding of a bare event must be retried; the others were done.
    """
    remediation = wire_remediation(os.environ)
    deadline = Deadline.of(context)
    try:
        if isinstance(event, dict) and "Records" in event:
            return remediate_batch(remediation, event, deadline)
        return remediate_event(remediation, event, deadline)
    finally:
        flush_metrics()


@dataclass(frozen=True, slots=True)
class Intake:
    """What was read of one event.

    Attributes:
        findings: the findings to be told of, in their order.
        errors: what was not understood, each error about a finding or the whole.
    """

    findings: tuple[Arrival | Stranger, ...] = ()
    errors: tuple[EventError, ...] = ()

    @property
    def arrivals(self) -> list[Arrival]:
        """The findings to work on."""
        return [one for one in self.findings if isinstance(one, Arrival)]

    def must_return(self, results: Results) -> bool:
        """Return whether its message goes back to the queue."""
        return bool(self.errors) or any(
            isinstance(results[one.finding.key], Postponed) for one in self.arrivals
        )


def remediate_batch(remediation: Remediation, batch: Any, deadline: Deadline) -> dict[str, Any]:
    """Work on all records of a batch at once, and return those to be retried."""
    taken = [(record.message_id, take_record(record)) for record in parse_batch(batch).records]
    arrivals = [one for _, intake in taken for one in intake.arrivals]
    results = remediation.run(arrivals, deadline)
    failed = [message_id for message_id, intake in taken if intake.must_return(results)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def remediate_event(remediation: Remediation, event: Any, deadline: Deadline) -> dict[str, Any]:
    """Work on one event, and return the outcome of each of its findings."""
    intake = take_event(parse_event(event))
    results = remediation.run(intake.arrivals, deadline)
    outcomes = describe_outcomes(intake.findings, results)
    if intake.errors:
        raise intake.errors[0]
    return {"outcomes": outcomes}


def take_record(record: SqsRecord) -> Intake:
    """Return what is read of a message; what is not understood is counted and logged."""
    try:
        return take_event(parse_record(record), message_id=record.message_id)
    except EventError as error:
        _count_invalid()
        logger.error(
            "record is no event this application knows",
            extra={"messageId": record.message_id, "reason": str(error)},
        )
        return Intake(errors=(error,))


def take_event(event: FindingsEvent, *, message_id: str | None = None) -> Intake:
    """Return what is read of an event; what is not understood is counted and logged.

    Args:
        event: the event.
        message_id: the id of its message, if it came by the queue.
    """
    findings: list[Arrival | Stranger] = []
    errors: list[EventError] = []
    for one in parse_findings(event):
        match one:
            case Finding():
                findings.append(
                    Arrival(one, event.id, event.entry_point, is_queued=message_id is not None)
                )
            case Stranger():
                report_stranger(one, event.id)
                findings.append(one)
            case EventError():
                _count_invalid()
                with correlated(event.id):
                    logger.error(
                        "finding is not understood",
                        extra={"messageId": message_id, "reason": str(one)},
                    )
                errors.append(one)
    return Intake(tuple(findings), tuple(errors))


def describe_outcomes(
    findings: Iterable[Arrival | Stranger], results: Results
) -> list[dict[str, Any]]:
    """Return what a caller of the function reads of each finding, in the order they came.

    Raises:
        TransientError: one of them must be retried.
    """
    keys = [one.finding.key if isinstance(one, Arrival) else one for one in findings]
    return [
        _describe_stranger(key) if isinstance(key, Stranger) else _describe(key, results[key])
        for key in dict.fromkeys(keys)
    ]


def _describe(key: FindingKey, result: Handled | Postponed) -> dict[str, Any]:
    if isinstance(result, Postponed):
        raise TransientError(str(result.error)) from result.error
    conclusion = result.report.conclusion
    return {
        "findingId": key.id,
        "accountId": result.report.account_id,
        "certificate": result.report.arn,
        "outcome": conclusion.outcome.value,
        "reason": conclusion.note,
        "references": list(conclusion.references),
        "workflowStatus": result.status.value,
    }


def _describe_stranger(stranger: Stranger) -> dict[str, Any]:
    conclusion = conclude_refused(stranger.trait)
    return {
        "findingId": stranger.id,
        "accountId": stranger.account_id,
        "certificate": None,
        "outcome": conclusion.outcome.value,
        "reason": conclusion.note,
        "references": [],
        "workflowStatus": stranger.workflow_status,
    }


def _count_invalid() -> None:
    metrics.add_metric(name="InvalidRecords", unit=MetricUnit.Count, value=1)
