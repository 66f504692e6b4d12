"""`make deploy` itself: what a person types, up to the deployed stack."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from local.artifact.chain.chain import DEPLOY_SECONDS
from local.artifact.template import PROJECT

if TYPE_CHECKING:
    from tests.e2e.deployed import Deployed


def read_parameters(deployed: Deployed) -> dict[str, str]:
    """Return the parameters of the deployed stack."""
    described = deployed.chain.describe()["Parameters"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in described}


def make_deploy(deployed: Deployed, *words: str) -> None:
    """Run the target, with what SAM CLI needs to come to the chain."""
    done = subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "--old-file", ".venv/.ready", "--old-file", ".venv-sam/.ready", "deploy", *words],  # noqa: S607
        cwd=PROJECT,
        env=deployed.chain.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEPLOY_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_dry_run_is_one_whatever_else_is_changed(deployed: Deployed) -> None:
    """An enforcing stack stops to delete, and keeps every parameter that is not named."""
    before = read_parameters(deployed)
    assert before["Mode"] == "Enforce"

    make_deploy(deployed, "MODE=DryRun", "SweepSchedule=rate(6 hours)")

    changed = {"Mode": "DryRun", "SweepSchedule": "rate(6 hours)"}
    assert read_parameters(deployed) == before | changed
    finding = deployed.report(deployed.upload("kept-by-a-dry-run")["Arn"])
    assert deployed.wait_for_outcome(finding) == "would-delete"
    assert "kept-by-a-dry-run" in deployed.certificates()
