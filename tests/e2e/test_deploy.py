"""`make deploy` itself: what a person types, up to the deployed stack."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from local.artifact.chain.chain import DEPLOY_SECONDS
from local.artifact.template import PROJECT

if TYPE_CHECKING:
    from tests.e2e.deployed import Deployed


def make_deploy(deployed: Deployed, *words: str) -> dict[str, str]:
    """Return the parameters of the stack after a deployment that was agreed to."""
    done = subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "--old-file", ".venv/.ready", "--old-file", ".venv-sam/.ready", "deploy", *words],  # noqa: S607
        cwd=PROJECT,
        env=deployed.chain.environment(),
        input="y\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEPLOY_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    described = deployed.chain.describe()["Parameters"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in described}


def test_a_dry_run_is_one_whatever_else_is_changed(deployed: Deployed) -> None:
    """An enforcing stack stops to delete, and keeps every parameter that is not named."""
    before = {
        one["ParameterKey"]: one["ParameterValue"]
        for one in deployed.chain.describe()["Parameters"]
    }
    assert before["Mode"] == "Enforce"

    after = make_deploy(deployed, "MODE=DryRun", "SweepSchedule=rate(6 hours)")

    assert after == before | {"Mode": "DryRun", "SweepSchedule": "rate(6 hours)"}
    finding = deployed.report(deployed.upload("kept-by-a-dry-run")["Arn"])
    assert deployed.wait_for_outcome(finding) == "would-delete"
    assert "kept-by-a-dry-run" in deployed.certificates()


def test_enforcing_keeps_the_rest(deployed: Deployed) -> None:
    """Deployed again to enforce, the stack has the schedule and Regions that it had."""
    after = make_deploy(deployed, "MODE=Enforce")

    assert after["Mode"] == "Enforce"
    assert after["SweepSchedule"] == "rate(6 hours)"
    assert after["Regions"] == "us-east-1,eu-west-1"
