"""What proves the proof: an artifact that is broken on purpose does not get through."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from local.artifact.chain import ChainError
from local.artifact.image.image import ARCHITECTURE
from local.artifact.template import BUILT
from tests.e2e.deployment import PARAMETERS, Deployment, prove

SECONDS = 6  # a finding takes 1 to 3
MACHINE = {"x86_64": "x86_64", "arm64": "aarch64"}[ARCHITECTURE]


def leave_out_module(artifact: Path) -> None:
    (artifact / "models" / "proof.py").unlink()


def build_for_another_processor(artifact: Path) -> None:
    for module in artifact.rglob(f"*-{MACHINE}-linux-gnu.so"):
        module.unlink()


def build_for_another_python(artifact: Path) -> None:
    for module in artifact.rglob("*.cpython-313-*.so"):
        module.rename(module.with_name(module.name.replace("cpython-313", "cpython-312")))


@pytest.mark.parametrize(
    "break_artifact",
    [
        leave_out_module,
        build_for_another_processor,
        build_for_another_python,
    ],
    ids=lambda function: function.__name__,
)
def test_broken_artifact_shows(
    deployment: Deployment, break_artifact: Callable[[Path], None], tmp_path: Path
) -> None:
    """With an artifact that lacks something, a finding does not get through the chain."""
    built = tmp_path / "built"
    shutil.copytree(BUILT, built, copy_function=os.link)
    break_artifact(built / "RemediateFunction")
    deployment.chain.deploy(*PARAMETERS, template=built / "template.yaml")

    with pytest.raises(ChainError):
        prove(deployment, break_artifact.__name__.replace("_", "-"), SECONDS)
    answer = deployment.chain.client("lambda").invoke(
        FunctionName=deployment.chain.find_resource("RemediateFunction"), Payload=b"{}"
    )
    assert "Worker init failed" in answer["Payload"].read().decode()


def test_mended_gets_through(deployment: Deployment) -> None:
    """After all the breaks, the artifact as it is gets a finding through again."""
    deployment.chain.deploy(*PARAMETERS)
    deployment.drain()

    prove(deployment, "patched")
