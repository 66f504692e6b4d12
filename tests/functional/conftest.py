"""The local AWS in this process, with the application on it, and no sockets."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_socket import disable_socket, enable_socket

import handlers.observability  # noqa: F401 - makes the logger that `read_log` reads
from local import faults, in_process
from local.aws import Aws
from tests.functional.deployment import Deployment

REGIONS = ("us-east-1", "eu-west-1")


@pytest.fixture(autouse=True)
def no_sockets() -> Iterator[None]:
    """Let nothing leave the process; an event loop needs a Unix socket pair."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


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
    """Give what the function has logged so far, line by line."""
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
