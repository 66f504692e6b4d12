"""The runbook: whoever is called by an alarm finds what to do."""

import re

import pytest

from tests.template.stack import PROJECT, load_stack

RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()
STACK = load_stack()
ALARMS = sorted(STACK.of_type("AWS::CloudWatch::Alarm"))


def read_sections() -> dict[str, str]:
    """Give the text below each heading."""
    parts = re.split(r"^#{2,3} (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def make_anchor(heading: str) -> str:
    """Give a heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("alarm", ALARMS)
def test_each_alarm_has_its_section(alarm: str) -> None:
    """An alarm's name leads to what it means and what to do."""
    assert len(read_sections()[alarm].split()) > 20
    assert f"| [{alarm}](#{alarm.lower()}) |" in RUNBOOK


def test_no_section_is_of_an_alarm_that_is_gone() -> None:
    """What is called like an alarm is one."""
    assert {name for name in read_sections() if name.endswith("Alarm")} == set(ALARMS)


def test_links_lead_somewhere() -> None:
    """Each link within the runbook has its heading."""
    anchors = {make_anchor(heading) for heading in read_sections()}

    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def test_names_are_those_of_the_stack() -> None:
    """Each output and resource that a command asks for is there."""
    assert set(re.findall(r"(?<!-)\boutput (\w+)", RUNBOOK)) <= STACK.outputs.keys()
    assert set(re.findall(r"\bresource (\w+)", RUNBOOK)) <= STACK.resources.keys()


def test_log_lines_are_those_of_the_code() -> None:
    """Each log message that the runbook tells to look for is one that the code writes."""
    code = "\n".join(path.read_text() for path in (PROJECT / "handlers").rglob("*.py"))
    named = re.findall(r"log lines? `([^`]+)`", " ".join(RUNBOOK.split()))

    assert named
    assert [message for message in named if message not in code] == []
