"""EventBridge: patterns that look into arrays, and sources that only AWS may use."""

from __future__ import annotations

import json
import operator
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from moto.events.models import EventPattern, Rule, events_backends
from moto.events.responses import EventsHandler
from moto.events.utils import EventTemplateParser

from local.aws.patches.patch import Patch

PATCH = Patch(
    "events",
    "patterns do not look into arrays of objects, disabled rules deliver, messages lack the "
    "account, and customers may send events in the name of AWS",
)

_ABSENT: list[Any] = []
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Return whether EventBridge would match an event to a pattern.

    In an array of objects, one element has to match everything that the pattern says of it.
    """
    if isinstance(event, list):
        inner = [element for element in event if isinstance(element, dict | list)]
        return any(matches(pattern, element) for element in inner or [{}])
    node = event if isinstance(event, dict) else {}
    return all(_matches_key(key, wanted, node) for key, wanted in pattern.items())


def _matches_key(key: str, wanted: Any, node: dict[str, Any]) -> bool:
    if key == "$or" and all(isinstance(choice, dict) for choice in wanted):
        return any(matches(choice, node) for choice in wanted)
    if isinstance(wanted, dict):
        return matches(wanted, node.get(key, {}))
    values = list(_leaves(node[key])) if key in node else _ABSENT
    return any(_matches_filter(one, values) for one in wanted)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif not isinstance(value, dict):
        yield value


def _matches_filter(wanted: Any, values: list[Any]) -> bool:
    if not isinstance(wanted, dict):
        return any(_is_same(wanted, value) for value in values)
    ((name, operand),) = wanted.items()
    if name == "exists":
        return bool(values) is operand
    test = _FILTERS.get(name)
    if test is None:
        raise ValueError(f"unknown filter in an event pattern: {name}")
    return any(test(operand, value) for value in values)


def _is_same(wanted: Any, value: Any) -> bool:
    # 1, 1.0 and true are three different values in JSON.
    return type(wanted) is type(value) and bool(wanted == value)


def _text_test(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def matches_text(operand: Any, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(operand, list):
            return any(matches_text(one, value) for one in operand)
        if isinstance(operand, dict):
            return test(value.lower(), operand["equals-ignore-case"].lower())
        return test(value, operand)

    return matches_text


def _is_anything_but(operand: Any, value: Any) -> bool:
    if isinstance(operand, dict):
        ((name, inner),) = operand.items()
        return not _FILTERS[name](inner, value)
    return not any(
        _is_same(one, value) for one in (operand if isinstance(operand, list) else [operand])
    )


def _is_in_range(operand: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    bounds = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[comparison](value, bound) for comparison, bound in bounds)


def _fits_wildcard(value: str, wanted: str) -> bool:
    # A backslash takes the meaning from the star or backslash after it.
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", wanted)
    regex = "".join(
        ".*" if part == "*" else re.escape(re.sub(r"^\\(?=.)", "", part)) for part in parts
    )
    return re.fullmatch(regex, value, re.DOTALL) is not None


_FILTERS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _text_test(str.startswith),
    "suffix": _text_test(str.endswith),
    "equals-ignore-case": _text_test(lambda value, wanted: value.lower() == wanted.lower()),
    "wildcard": _text_test(_fits_wildcard),
    "anything-but": _is_anything_but,
    "numeric": _is_in_range,
}


@PATCH.replace(EventPattern, "matches_event")
def _matches_event(self: EventPattern, event: dict[str, Any]) -> bool:
    return matches(self.get_pattern(), event)


@PATCH.replace(Rule, "send_to_targets")
def _send_to_targets(self: Rule, *args: Any, **kwargs: Any) -> None:
    if self.state != "DISABLED":
        PATCH.original(Rule, "send_to_targets")(self, *args, **kwargs)


def _fill_template(
    input_template: str | None, input_paths_map: dict[str, Any], event: dict[str, Any]
) -> dict[str, Any]:
    if input_template or input_paths_map:
        original = PATCH.original(EventTemplateParser, "parse")
        filled: dict[str, Any] = original(input_template, input_paths_map, event)
        return filled
    return {name: value for name, value in event.items() if name != "ingestion-time"}


PATCH.replace(EventTemplateParser, "parse")(staticmethod(_fill_template))


@PATCH.replace(EventsHandler, "put_events")
def _put_events(self: EventsHandler) -> str:
    entries = self._get_param("Entries")
    allowed = [one for one in entries if not one.get("Source", "").startswith("aws.")]
    accepted = iter(self.events_backend.put_events(allowed) if allowed else [])
    refusal = {
        "ErrorCode": "NotAuthorizedForSourceException",
        "ErrorMessage": "Not authorized for the source.",
    }
    answers = [next(accepted) if one in allowed else refusal for one in entries]
    failed = sum("ErrorCode" in answer for answer in answers)
    return json.dumps({"FailedEntryCount": failed, "Entries": answers})


def emit(account: str, region: str, event: dict[str, Any]) -> None:
    """Put an event of AWS's own on the default bus of an account and Region."""
    bus = events_backends[account][region].event_buses["default"]
    for rule in list(bus.rules.values()):
        # moto keeps an event's times as numbers until a target takes it.
        now = time.time()
        message: Any = {**json.loads(json.dumps(event)), "time": now, "ingestion-time": now}
        rule.send_to_targets(message)


def make_event(
    *,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    resources: list[str],
    account: str,
    region: str,
) -> dict[str, Any]:
    """Return an EventBridge event as a target receives it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": region,
        "resources": resources,
        "detail": detail,
    }
