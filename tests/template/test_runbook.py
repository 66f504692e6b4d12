"""The runbook: whoever is paged by an alarm finds what to do."""

import re

import pytest

from local.fixtures.stack import PROJECT, load_stack

RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()
STACK = load_stack()
OBSERVABILITY = STACK.nested("ObservabilityStack")
EXPIRY = load_stack("deploy/expiry-alarms.yaml")
ALARMS = sorted(
    name
    for stack in (OBSERVABILITY, EXPIRY)
    for kind in ("Alarm", "CompositeAlarm")
    for name, one in stack.of_type(f"AWS::CloudWatch::{kind}").items()
    if "AlarmActions" in one["Properties"]
)


def read_sections() -> dict[str, str]:
    """Return the text below each heading."""
    parts = re.split(r"^#{2,3} (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def make_anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("alarm", ALARMS)
def test_each_alarm_has_a_section(alarm: str) -> None:
    """The name of each alarm leads to what it means and what to do."""
    assert len(read_sections()[alarm].split()) > 20
    assert f"| [{alarm}](#{alarm.lower()}) |" in RUNBOOK


def test_each_section_named_after_an_alarm_has_its_alarm() -> None:
    """No section describes an alarm that no longer exists."""
    assert {name for name in read_sections() if name.endswith("Alarm")} == set(ALARMS)


def test_links_have_a_target() -> None:
    """Each link within the runbook leads to a heading."""
    anchors = {make_anchor(heading) for heading in read_sections()}

    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def test_commands_name_what_the_stack_has() -> None:
    """Each output and resource that a command refers to exists in the stack."""
    assert set(re.findall(r"(?<!-)\boutput (\w+)", RUNBOOK)) <= STACK.outputs.keys()
    assert set(re.findall(r"\bresource (\w+)", RUNBOOK)) <= STACK.resources.keys()


def test_log_messages_are_those_of_the_code() -> None:
    """Each log message that the runbook tells the reader to look for is written by the code."""
    code = "\n".join(path.read_text() for path in (PROJECT / "handlers").rglob("*.py"))
    named = re.findall(r"log lines? `([^`]+)`", " ".join(RUNBOOK.split()))

    assert named
    assert [message for message in named if message not in code] == []
