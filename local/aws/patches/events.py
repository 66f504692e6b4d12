"""EventBridge: the event patterns of our rules, and what a target gets.

moto's patterns look into no array of objects and know no wildcards; its disabled rules deliver, its
messages lack the account, and PutEvents accepts events in the name of AWS. So the part of the
pattern language that the templates use is here, and all else in a pattern is refused; disabled
rules are silent, targets get the event as AWS documents it, and `aws.` sources are for `emit`
alone.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

from moto.events.models import EventPattern, EventPatternParser, Rule, events_backends
from moto.events.responses import EventsHandler
from moto.events.utils import EventTemplateParser

from local.aws.patches.patch import Patch

PATCH = Patch("events")

Pattern = dict[str, Any]


def check_pattern(pattern: Pattern) -> None:
    """Refuse a pattern that says more than the rules of our templates need.

    Raises:
        NotImplementedError: it has more than fields, exact texts and wildcards.
    """
    for key, wanted in pattern.items():
        if isinstance(wanted, dict):
            check_pattern(wanted)
            continue
        for one in wanted:
            if key.startswith("$") or not _is_known(one):
                raise NotImplementedError(
                    f"the local EventBridge cannot match {key} by {json.dumps(one)}"
                )


def _is_known(wanted: Any) -> bool:
    match wanted:
        case str():
            return True
        case {"wildcard": str(text), **others}:
            # A backslash would take the meaning from the star after it.
            return not others and "\\" not in text
    return False


def matches(pattern: Pattern, event: Any) -> bool:
    """Return whether EventBridge would match an event to a pattern.

    In an array of objects, one element has to match everything that the pattern says of it.

    Raises:
        NotImplementedError: the pattern says more than the rules of our templates need.
    """
    check_pattern(pattern)
    return _matches_object(pattern, event)


def _matches_object(pattern: Pattern, node: Any) -> bool:
    if isinstance(node, list):
        return any(_matches_object(pattern, element) for element in node)
    if not isinstance(node, dict):
        return False
    return all(
        _matches_object(wanted, node.get(key))
        if isinstance(wanted, dict)
        else _matches_values(wanted, node.get(key))
        for key, wanted in pattern.items()
    )


def _matches_values(wanted: list[Any], held: Any) -> bool:
    values = held if isinstance(held, list) else [held]
    return any(_is_wanted(one, value) for one in wanted for value in values)


def _is_wanted(wanted: str | dict[str, str], value: Any) -> bool:
    if isinstance(wanted, str):
        return bool(value == wanted)
    regex = ".*".join(map(re.escape, wanted["wildcard"].split("*")))
    return isinstance(value, str) and re.fullmatch(regex, value, re.DOTALL) is not None


@PATCH.replace(EventPatternParser, "parse")
def _parse_pattern(self: EventPatternParser) -> Pattern:
    pattern: Pattern = PATCH.original(EventPatternParser, "parse")(self)
    check_pattern(pattern)
    return pattern


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
