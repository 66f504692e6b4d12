"""The sample events, and the EventBridge events in them."""

import json
from pathlib import Path
from typing import Any

from local.fixtures.stack import PROJECT

EVENTS = PROJECT / "events"
Event = dict[str, Any]

# The events of the remediation function; those of each other are in a folder of its own.
FILES = sorted(EVENTS.glob("*.json"))


def read(name: str) -> Any:
    """Return the content of a sample by its file name without the suffix."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def list_events(file: Path) -> list[Event]:
    """Return the EventBridge events of a sample: itself, or the JSON bodies of a batch."""
    content = json.loads(file.read_text())
    if "Records" not in content:
        return [content]
    return [json.loads(one["body"]) for one in content["Records"] if one["body"].startswith("{")]
