"""`make deploy` itself: what a person types, up to the deployed stack."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from local.artifact.chain.chain import DEPLOY_SECONDS
from local.artifact.template import PROJECT

if TYPE_CHECKING:
    from tests.e2e.deployment import Deployment


def read_parameters(deployment: Deployment) -> dict[str, str]:
    """Return the parameters of the deployed stack."""
    described = deployment.chain.describe()["Parameters"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in described}


def make_deploy(deployment: Deployment, *words: str) -> None:
    """Run the target, with what SAM CLI needs to come to the chain."""
    done = subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "--old-file", ".venv/.ready", "--old-file", ".venv-sam/.ready", "deploy", *words],  # noqa: S607
        cwd=PROJECT,
        env=deployment.chain.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEPLOY_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_dry_run_is_one_whatever_else_is_changed(deployment: Deployment) -> None:
    """An enforcing stack stops to delete, and keeps every parameter that is not named."""
    before = read_parameters(deployment)
    assert before["Mode"] == "Enforce"

    make_deploy(deployment, "MODE=DryRun", "SweepSchedule=rate(6 hours)")

    changed = {"Mode": "DryRun", "SweepSchedule": "rate(6 hours)"}
    assert read_parameters(deployment) == before | changed
    finding = deployment.report(deployment.upload("kept-by-a-dry-run")["Arn"])
    assert deployment.wait_for_outcome(finding) == "would-delete"
    assert "kept-by-a-dry-run" in deployment.certificates()
