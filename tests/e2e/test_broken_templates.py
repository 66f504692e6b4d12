"""What proves the proof: a template that is broken on purpose does not get through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.artifact.chain import ChainError
from local.artifact.template import Template, read_template, write_template
from tests.e2e.deployment import PARAMETERS, Deployment, prove

SECONDS = 6  # a finding takes 1 to 3


def properties(template: Template, name: str) -> Any:
    return template["Resources"][name]["Properties"]


def mistype_pattern(template: Template) -> None:
    pattern = properties(template, "ImportedRule")["EventPattern"]
    pattern["detail"]["findings"]["Compliance"]["SecurityControlId"] = ["IAM26"]


def forget_mapping(template: Template) -> None:
    del properties(template, "RemediateFunction")["Events"]


def forget_target(template: Template) -> None:
    properties(template, "ImportedRule")["Targets"] = []


def forget_action(template: Template) -> None:
    document = properties(template, "RemediateRole")["Policies"][0]["PolicyDocument"]
    for statement in document["Statement"]:
        if "iam:DeleteServerCertificate" in statement.get("Action", ()):
            statement["Action"].remove("iam:DeleteServerCertificate")


def mistype_handler(template: Template) -> None:
    properties(template, "RemediateFunction")["Handler"] = "handlers.remedy.handler"


def forget_variable(template: Template) -> None:
    del properties(template, "RemediateFunction")["Environment"]["Variables"]["ARCHIVE_BUCKET"]


@pytest.fixture(scope="module")
def packaged(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with its artifact uploaded, so that each break uploads nothing again."""
    return deployment.chain.package(tmp_path_factory.mktemp("packaged") / "template.yaml")


@pytest.mark.parametrize(
    "break_template",
    [
        mistype_pattern,
        forget_mapping,
        forget_target,
        forget_action,
        mistype_handler,
        forget_variable,
    ],
    ids=lambda function: function.__name__,
)
def test_broken_template_shows(
    deployment: Deployment,
    packaged: Path,
    break_template: Callable[[Template], None],
    tmp_path: Path,
) -> None:
    """With the template broken in one place, a finding does not get through the chain."""
    template = read_template(packaged)
    break_template(template)
    assert template != read_template(packaged)
    deployment.chain.deploy(
        *PARAMETERS, template=write_template(template, tmp_path / "broken.json")
    )

    with pytest.raises((ChainError, AssertionError)):
        prove(deployment, break_template.__name__.replace("_", "-"), SECONDS)
    assert break_template.__name__.replace("_", "-") in deployment.certificates()


def test_mended_gets_through(deployment: Deployment, packaged: Path) -> None:
    """After all the breaks, the template as it is gets a finding through again."""
    deployment.chain.deploy(*PARAMETERS, template=packaged)
    deployment.drain()

    prove(deployment, "patched")
