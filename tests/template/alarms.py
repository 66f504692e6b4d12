"""CloudWatch's arithmetic: which alarms of a template fire on made-up series of metrics.

Pure, and only as much of it as the templates use: one metric an alarm, and alarms composed of
those.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.fixtures.stack import Resource, Stack

Metric = tuple[str, str, str]
# A value a minute from the start on; None where the metric has none. A metric that is absent never
# had a value.
Series = Sequence[float | None]
World = Mapping[Metric, Series]
Alarms = Mapping[str, "Resource"]

STATISTICS: dict[str, Callable[[Iterable[float]], float]] = {
    "Minimum": min,
    "Maximum": max,
    "Sum": sum,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanOrEqualToThreshold": operator.le,
}
MISSING = {"breaching": True, "notBreaching": False}
_METRIC = "AWS::CloudWatch::Alarm"
_COMPOSITE = "AWS::CloudWatch::CompositeAlarm"
_TERM = re.compile(r'(NOT )?ALARM\("<(\w+)>"\)')


class NotEvaluatedError(Exception):
    """An alarm uses what is not computed here."""


def read_alarms(stack: Stack) -> Alarms:
    """Return the alarms of a template by name, metric alarms and composite ones."""
    return {**stack.of_type(_METRIC), **stack.of_type(_COMPOSITE)}


def find_firing(alarms: Alarms, world: World, minute: int) -> set[str]:
    """Return the alarms that are in the state ALARM at a minute, those without action included."""
    firing = {
        name
        for name, one in alarms.items()
        if one["Type"] == _METRIC and is_alarm(one["Properties"], world, minute)
    }
    return firing | {
        name
        for name, one in alarms.items()
        if one["Type"] == _COMPOSITE and is_met(one["Properties"]["AlarmRule"], firing)
    }


def list_notices(alarms: Alarms, world: World, minutes: int) -> dict[str, int]:
    """Return when each alarm that notifies somebody fired first, by name."""
    first: dict[str, int] = {}
    for minute in range(minutes):
        for name in find_firing(alarms, world, minute):
            if "AlarmActions" in alarms[name]["Properties"]:
                first.setdefault(name, minute)
    return first


def is_alarm(alarm: Mapping[str, Any], world: World, minute: int) -> bool:
    """Return whether a metric alarm is in the state ALARM, seeing what was until a minute."""
    if "Metrics" in alarm:
        raise NotEvaluatedError("an alarm on an expression")
    if alarm["ComparisonOperator"] not in COMPARISONS:
        raise NotEvaluatedError(alarm["ComparisonOperator"])
    periods = alarm["EvaluationPeriods"]
    breaching = sum(
        _is_breaching(alarm, _summarise(alarm, world, minute, back)) for back in range(periods)
    )
    return bool(breaching >= alarm.get("DatapointsToAlarm", periods))


def list_states(alarm: Mapping[str, Any], world: World, minutes: Iterable[int]) -> list[str]:
    """Return the state at each minute of a metric alarm that ignores missing data.

    It keeps its state where none of its periods has a value.
    """
    if alarm["TreatMissingData"] != "ignore":
        raise NotEvaluatedError(alarm["TreatMissingData"])
    states = ["INSUFFICIENT_DATA"]
    for minute in minutes:
        periods = range(alarm["EvaluationPeriods"])
        values = [_summarise(alarm, world, minute, back) for back in periods]
        if None in values:
            states.append(states[-1])
        else:
            states.append("ALARM" if is_alarm(alarm, world, minute) else "OK")
    return states[1:]


def is_met(rule: str, firing: set[str]) -> bool:
    """Return whether the rule of a composite alarm holds."""
    terms = rule.split(" AND ")
    parsed = [_TERM.fullmatch(term) for term in terms]
    if None in parsed:
        raise NotEvaluatedError(rule)
    return all((term[2] in firing) is not bool(term[1]) for term in parsed if term)


def _is_breaching(alarm: Mapping[str, Any], value: float | None) -> bool:
    if value is None:
        return MISSING[alarm["TreatMissingData"]]
    return COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"])


def _summarise(alarm: Mapping[str, Any], world: World, minute: int, back: int) -> float | None:
    """Return the statistic of the period that lies so many periods back, if it has any value."""
    [dimension] = alarm["Dimensions"]
    metric = (alarm["Namespace"], alarm["MetricName"], dimension["Value"].strip("<>"))
    length = alarm["Period"] // 60
    # Periods are aligned to the clock, so the newest is often not over yet.
    end = (minute // length + 1 - back) * length
    seen = world.get(metric, ())[max(0, end - length) : max(0, min(end, minute + 1))]
    values = [one for one in seen if one is not None]
    return STATISTICS[alarm["Statistic"]](values) if values else None
