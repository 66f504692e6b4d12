"""What `sam build` made, and a copy of its template that a local run can be directed with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # moto brings it; it ships no types

PROJECT = Path(__file__).parents[2]
BUILT = PROJECT / "build" / "sam"
FUNCTIONS = ("RemediateFunction", "SweepFunction")
Template = dict[str, Any]


def read_template(path: Path = BUILT / "template.yaml") -> Template:
    """Return a built template, which has no short forms of CloudFormation's functions left."""
    template: Template = yaml.safe_load(path.read_text())
    return template


def write_template(template: Template, path: Path) -> Path:
    """Write a template, and return its path."""
    path.write_text(json.dumps(template, indent=1, default=str))
    return path


def declare_endpoint(template: Template) -> Template:
    """Declare AWS_ENDPOINT_URL for each function: SAM CLI passes declared variables alone."""
    for name in FUNCTIONS:
        properties = template["Resources"][name]["Properties"]
        properties["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""
    return template
