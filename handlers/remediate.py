"""Lambda: findings about expired certificates come in, proven deletions go out.

The path of a finding:

    parse                                  here, into the models of `models.events`
    refuse, refresh, group by account      `handlers.remediation.batch`
    list, screen, scan, prove              `handlers.remediation.account`, by `models.proof`
    act: read again, archive, delete       `handlers.remediation.deletion`
    report: finding, topic, metrics, log   `handlers.remediation.report`
"""

import os
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools.logging.correlation_paths import EVENT_BRIDGE
from aws_lambda_powertools.utilities.typing import LambdaContext

from handlers.observability import MetricUnit, flush_metrics, logger, metrics
from handlers.remediation.batch import Remediation
from handlers.remediation.cases import Arrival, Postponed, Results
from handlers.remediation.deadline import Deadline
from handlers.wiring import wire_remediation
from models.errors import EventError, TransientError
from models.events import FindingsEvent, parse_batch, parse_event, parse_record

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
        EventError: a bare event is none this application knows.
        TransientError: a finding of a bare event must be retried.
    """
    remediation = wire_remediation(os.environ)
    deadline = Deadline.of(context)
    try:
        if isinstance(event, dict) and "Records" in event:
            return remediate_batch(remediation, event, deadline)
        return remediate_event(remediation, event, deadline)
    finally:
        flush_metrics()


def remediate_batch(remediation: Remediation, batch: Any, deadline: Deadline) -> dict[str, Any]:
    """Work on all records of a batch at once, and return those to be retried."""
    arrivals: dict[str, list[Arrival]] = {}
    failed: list[str] = []
    for record in parse_batch(batch).records:
        try:
            event, is_redelivered = parse_record(record)
            arrivals[record.message_id] = list_arrivals(event, is_redelivered=is_redelivered)
        except EventError as error:
            failed.append(record.message_id)
            metrics.add_metric(name="InvalidRecords", unit=MetricUnit.Count, value=1)
            logger.error(
                "record is no event this application knows",
                extra={"messageId": record.message_id, "reason": str(error)},
            )
    results = remediation.run([one for some in arrivals.values() for one in some], deadline)
    failed += [
        message_id
        for message_id, some in arrivals.items()
        if any(isinstance(results[one.finding.key], Postponed) for one in some)
    ]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def remediate_event(remediation: Remediation, event: Any, deadline: Deadline) -> dict[str, Any]:
    """Work on one event, and return the outcome of each of its findings."""
    arrivals = list_arrivals(parse_event(event))
    results = remediation.run(arrivals, deadline)
    return {"outcomes": describe_outcomes(arrivals, results)}


def list_arrivals(event: FindingsEvent, *, is_redelivered: bool = False) -> list[Arrival]:
    """Return the findings of an event, with what the event tells about them."""
    return [
        Arrival(finding, event.region, event.id, is_redelivered)
        for finding in event.detail.findings
    ]


def describe_outcomes(arrivals: Sequence[Arrival], results: Results) -> list[dict[str, Any]]:
    """Return what a caller of the function reads of each finding, in the order they came.

    Raises:
        TransientError: one of them must be retried.
    """
    described = []
    for key in dict.fromkeys(arrival.finding.key for arrival in arrivals):
        result = results[key]
        if isinstance(result, Postponed):
            raise TransientError(str(result.error)) from result.error
        conclusion = result.report.conclusion
        described.append(
            {
                "findingId": key.id,
                "accountId": result.report.account_id,
                "certificate": result.report.arn,
                "outcome": conclusion.outcome.value,
                "reason": conclusion.note,
                "references": list(conclusion.references),
                "workflowStatus": result.status.value,
            }
        )
    return described
