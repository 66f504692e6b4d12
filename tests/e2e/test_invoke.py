"""`make invoke`, as somebody who tries the artifact runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from local.artifact.image import has_docker
from local.artifact.runtime import INVOKE_SECONDS, prepare_runtime
from local.artifact.template import PROJECT

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run() -> Run:
    """Run one event, and return what was printed."""
    assert prepare_runtime() == 0

    def run(event: str, *options: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "local", "invoke", f"events/{event}.json", *options],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * INVOKE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def count_started_containers(since: float) -> int:
    """Return how many containers Docker has started since a time."""
    narrowing = ("--filter", "type=container", "--filter", "event=start")
    times = ("--since", f"{since:.3f}", "--until", f"{time.time():.3f}")
    told = subprocess.run(  # noqa: S603 - our own words
        ["docker", "events", *narrowing, *times],  # noqa: S607 - wherever Docker is
        capture_output=True,
        text=True,
        check=True,
    )
    return len(told.stdout.splitlines())


@pytest.mark.skipif(not has_docker(), reason="no Docker daemon answers")
def test_where_docker_is_a_container_runs(run: Run) -> None:
    """What says that it runs in Docker has started a container there."""
    started_at = time.time()

    printed = run("imported-consolidated")

    assert "The artifact runs in Docker" in printed
    assert count_started_containers(started_at) >= 1


def test_the_usual_case_is_deleted(run: Run) -> None:
    """Without a mode the certificate is deleted, and the output says why."""
    printed = run("imported-consolidated")

    assert "MODE=Enforce" in printed
    assert "outcome      deleted" in printed


def test_dry_run_deletes_nothing(run: Run) -> None:
    """With MODE=DryRun it is told what would be deleted."""
    printed = run("imported-consolidated", "--mode", "DryRun")

    assert "MODE=DryRun" in printed
    assert "outcome      would-delete" in printed


def test_a_batch_tells_what_became_of_it(run: Run) -> None:
    """Each certificate's outcome is printed, and each message that failed, with its reason."""
    printed = run("sqs-batch-with-a-broken-record")

    assert "outcome      deleted" in printed
    failed = "afc34d9a-965e-4115-ab92-12345677e8a4"
    assert f"{failed}: record is no event this application knows: " in printed
    assert f"Message {failed} failed: it is delivered again." in printed


def test_a_sweep_tells_what_it_sent(run: Run) -> None:
    """The counts are printed, and the message that is on the queue."""
    printed = run("sweep-function/schedule")

    assert "accounts: 1, findings: 1, messages: 1" in printed
    assert "iam26-remediation, IAM.26 Sweep" in printed
    assert "security-control/IAM.26/finding/" in printed
