"""Alarms: what they say on made-up series of metrics, computed as CloudWatch does."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from local.fixtures.stack import load_stack
from tests.template.alarms import (
    Metric,
    NotEvaluatedError,
    World,
    find_firing,
    is_alarm,
    is_met,
    list_notices,
    read_alarms,
)

STACK = load_stack()
OBSERVABILITY = STACK.nested("ObservabilityStack")
ALARMS = read_alarms(OBSERVABILITY)
QUEUE = STACK.properties("Queue")
# In minutes.
VISIBILITY = QUEUE["VisibilityTimeout"] // 60
RECEIVES = QUEUE["RedrivePolicy"]["maxReceiveCount"]
DAY = 24 * 60

WAITING: Metric = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Queue.QueueName")
DEAD: Metric = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "DeadLetterQueue.QueueName")
INVOCATIONS: Metric = ("AWS/Lambda", "Invocations", "RemediateFunction")
THROTTLES: Metric = ("AWS/Lambda", "Throttles", "RemediateFunction")
POSTPONED: Metric = ("IAM26Remediation", "PostponedFindings", "iam26-remediation")
FAILED: Metric = ("AWS/Events", "FailedInvocations", "ImportedRule")
LOST: Metric = ("AWS/Events", "InvocationsFailedToBeSentToDlq", "ImportedRule")


def constant(value: float | None) -> list[float | None]:
    """Return a day of one value."""
    return [value] * DAY


def at(minutes: list[int], value: float, otherwise: float | None = None) -> list[float | None]:
    """Return a day with a value at some minutes, and otherwise another or none."""
    return [value if minute in minutes else otherwise for minute in range(DAY)]


def since(minute: int, value: float, before: float | None = 0) -> list[float | None]:
    """Return a day with a value from a minute on."""
    return [value if now >= minute else before for now in range(DAY)]


def list_attempts(start: int) -> list[int]:
    """Return when a message is received that is never done with."""
    return [start + number * VISIBILITY for number in range(RECEIVES)]


def poison(start: int = 30) -> dict[Metric, list[float | None]]:
    """Return what one message shows that fails at each receive: visible for a minute each time."""
    attempts = list_attempts(start)
    return {
        WAITING: at(attempts, 1, otherwise=0),
        INVOCATIONS: at(attempts, 1),
        DEAD: since(attempts[-1] + VISIBILITY, 1),
    }


def backlog(hours: int) -> list[float | None]:
    """Return a queue that a first sweep fills, and that gets empty over some hours."""
    return [float(max(0, 2000 - minute * 2000 // (hours * 60))) for minute in range(DAY)]


CASES: dict[str, tuple[World, set[str]]] = {
    "nothing was ever measured": ({}, set()),
    "idle": ({WAITING: constant(0), INVOCATIONS: constant(None), DEAD: constant(0)}, set()),
    "a finding a day": ({WAITING: at([60], 1, otherwise=0), INVOCATIONS: at([61], 1)}, set()),
    "a backlog that is worked off for ten hours": (
        # An invocation takes ten minutes at most, and two run at once.
        {WAITING: backlog(10), INVOCATIONS: at(list(range(0, 600, 10)), 2)},
        set(),
    ),
    "the event source is disabled": (
        {WAITING: since(300, 3), INVOCATIONS: at([60, 120, 180, 240], 1)},
        {"QueueStalledAlarm"},
    ),
    "the event source is disabled, and the function has never run": (
        {WAITING: since(300, 3, before=None)},
        {"QueueStalledAlarm"},
    ),
    "the event source is disabled, and nothing waits": ({WAITING: constant(0)}, set()),
    "throttled, with more messages than Lambda holds": (
        {WAITING: since(300, 100), THROTTLES: since(300, 2, before=None)},
        {"QueueStalledAlarm", "RemediateThrottlesAlarm"},
    ),
    "throttled, with one message": (
        {WAITING: at(list_attempts(30), 1, otherwise=0), THROTTLES: at(list_attempts(30), 5)},
        {"RemediateThrottlesAlarm"},
    ),
    "a poison message": (poison(), {"DeadLetterQueueAlarm"}),
    "postponed at each receive": (
        {**poison(), POSTPONED: at(list_attempts(30), 1)},
        {"PostponedFindingsAlarm", "DeadLetterQueueAlarm"},
    ),
    "postponed once": ({POSTPONED: at([100], 20)}, set()),
    "a rule fails for the first time, and saves": (
        {FAILED: at([200], 1), DEAD: since(201, 1)},
        {"ImportedRuleAlarm", "DeadLetterQueueAlarm"},
    ),
    "a rule loses, and the metric of what fails has never existed": (
        {LOST: at([200], 1)},
        {"ImportedRuleLossAlarm"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_alarms_say_what_is_wrong_and_nothing_else(case: str) -> None:
    """Over a day, exactly the alarms that mean what happened notify somebody."""
    world, expected = CASES[case]

    assert list_notices(ALARMS, world, DAY).keys() == expected


@pytest.mark.parametrize("start", range(0, 60, 5))
def test_a_queue_that_nobody_reads_is_told_within_an_hour_and_a_half(start: int) -> None:
    """However the clock's periods lie, an alarm tells that messages wait and nothing runs."""
    stopped = 300 + start
    world = {WAITING: since(stopped, 1), INVOCATIONS: at([stopped - 1], 1)}

    told = list_notices(ALARMS, world, DAY)["QueueStalledAlarm"]

    assert stopped + 55 <= told <= stopped + 75


@pytest.mark.parametrize("start", range(0, 120, 5))
def test_what_is_postponed_is_told_before_it_is_given_up(start: int) -> None:
    """However the clock's periods lie, the alarm comes while the finding is still retried."""
    world = {**poison(start), POSTPONED: at(list_attempts(start), 1)}

    told = list_notices(ALARMS, world, DAY)

    assert start + 60 <= told["PostponedFindingsAlarm"] < told["DeadLetterQueueAlarm"]


def test_an_attempt_falls_into_each_period_of_the_alarm_on_postponed_findings() -> None:
    """Retries are no further apart than the period, or one without any would end the alarm."""
    period = OBSERVABILITY.properties("PostponedFindingsAlarm")["Period"] // 60
    invocation = STACK.properties("RemediateFunction")["Timeout"] // 60

    for one, other in pairwise(list_attempts(0)):
        assert other - one + invocation < period


def test_the_alarm_ends_with_its_cause() -> None:
    """Once the function runs again, the stalled queue is no longer told."""
    world = {WAITING: since(0, 5), INVOCATIONS: since(600, 1, before=None)}

    assert "QueueStalledAlarm" in find_firing(ALARMS, world, 599)
    assert "QueueStalledAlarm" not in find_firing(ALARMS, world, 601)


# The arithmetic itself

ALARM: dict[str, Any] = {
    "Namespace": "N",
    "MetricName": "M",
    "Dimensions": [{"Name": "D", "Value": "<V>"}],
    "Statistic": "Sum",
    "Period": 120,
    "EvaluationPeriods": 2,
    "Threshold": 2,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
}


@pytest.mark.parametrize(
    ("series", "changes", "expected"),
    [
        ([1, 1, 1, 1], {}, True),
        ([1, 1, 1, 0], {}, False),
        ([0, 2, 2, 0], {}, True),
        ([1, 1, 0, 0], {"DatapointsToAlarm": 1}, True),
        ([2, 2, 2, 1], {"Statistic": "Minimum"}, False),
        ([2, 0, 0, 2], {"Statistic": "Maximum"}, True),
        ([None, None, 1, 1], {}, False),
        ([None, None, 1, 1], {"TreatMissingData": "breaching"}, True),
        ([None, 2, None, 2], {}, True),
    ],
)
def test_an_alarm_compares_the_statistic_of_its_periods(
    series: list[float | None], changes: dict[str, Any], *, expected: bool
) -> None:
    """Enough of the last periods must breach; one without a value counts as the alarm says."""
    assert is_alarm(ALARM | changes, {("N", "M", "V"): series}, 3) is expected


@pytest.mark.parametrize(("treated", "expected"), [("notBreaching", False), ("breaching", True)])
def test_a_metric_that_never_existed_is_missing_data(treated: str, *, expected: bool) -> None:
    """Without any value, the alarm is what it takes missing data for."""
    assert is_alarm(ALARM | {"TreatMissingData": treated}, {}, 3) is expected


@pytest.mark.parametrize(
    ("firing", "expected"), [({"A"}, True), ({"A", "B"}, False), ({"B"}, False), (set(), False)]
)
def test_a_composite_alarm_follows_its_rule(firing: set[str], *, expected: bool) -> None:
    """All terms of the rule must hold, those with NOT the other way round."""
    assert is_met('ALARM("<A>") AND NOT ALARM("<B>")', firing) is expected


def test_what_is_not_computed_is_never_taken_for_silence() -> None:
    """An expression, another comparison or another rule is an error, not an alarm that is quiet."""
    with pytest.raises(NotEvaluatedError):
        is_alarm({"Metrics": []}, {}, 3)
    with pytest.raises(NotEvaluatedError):
        is_alarm(ALARM | {"ComparisonOperator": "LessThanThreshold"}, {}, 3)
    with pytest.raises(NotEvaluatedError):
        is_met('OK("<A>")', set())
