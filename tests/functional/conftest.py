"""The local AWS in this process, with the application on it, and no sockets."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

import handlers.observability  # noqa: F401 - makes the logger that `read_log` reads
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.aws.server import Aws, in_process
from local.aws.wire import ApiCall, Proceed, wire
from tests.functional.deployment import Deployment

REGIONS = ("us-east-1", "eu-west-1")


OPERATIONS = Path(__file__).parents[2] / "build" / "operations"
CALLERS = {
    "iam26-remediation": "remediate",
    "iam26-sweep": "sweep",
    "iam26-expiry-alarms": "expiry_alarms",
}


@pytest.fixture(scope="session", autouse=True)
def written_operations(worker_id: str) -> Iterator[None]:
    """Write down every operation that the functions call, for the roles to be held against."""
    called: dict[str, dict[str, set[str]]] = {
        function: {"own": set(), "member": set()} for function in CALLERS.values()
    }

    def note(call: ApiCall, proceed: Proceed) -> AWSResponse:
        for name, function in CALLERS.items():
            if f" {name}" in call.user_agent:
                whose = "own" if call.account == OWN_ACCOUNT else "member"
                called[function][whose].add(f"{call.service}.{call.operation}")
        return proceed()

    wire.interceptors.insert(0, note)
    yield
    wire.interceptors.remove(note)
    OPERATIONS.mkdir(parents=True, exist_ok=True)
    (OPERATIONS / f"{worker_id}.json").write_text(
        json.dumps({f: {w: sorted(ops) for w, ops in by.items()} for f, by in called.items()})
    )


@pytest.fixture
def aws() -> Iterator[Aws]:
    """A fresh local AWS with two Regions, in which the SDK retries without waiting."""
    with in_process() as aws, faults.skip_backoff():
        aws.knobs.enabled_regions = REGIONS
        # What is proven here is our own scan, not the guard behind it.
        aws.knobs.guard_certificates_in_use = False
        yield aws


@pytest.fixture
def read_log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Return what the function has logged so far, line by line."""
    written = io.StringIO()
    [handler] = logging.getLogger("iam26-remediation").handlers
    monkeypatch.setattr(handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture
def deployment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The application in a fresh account, with MODE=Enforce."""
    made = Deployment(aws, monkeypatch)
    made.create()
    return made
