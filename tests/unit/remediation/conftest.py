"""A world of fakes, and what the remediation emits in it."""

import io
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from handlers.observability import SERVICE, flush_metrics, metrics
from tests.fakes import World

ReadLog = Callable[[], list[dict[str, Any]]]
ReadMetrics = Callable[[], dict[str, float]]


@pytest.fixture
def world() -> World:
    """Return an empty account in which certificates are deleted."""
    return World()


@pytest.fixture
def read_log(monkeypatch: pytest.MonkeyPatch) -> ReadLog:
    """Return what reads the lines that were logged so far."""
    written = io.StringIO()
    [handler] = logging.getLogger(SERVICE).handlers
    monkeypatch.setattr(handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture
def read_metrics(capsys: pytest.CaptureFixture[str]) -> Iterator[ReadMetrics]:
    """Return what reads the sum of each metric so far; findings are counted by outcome."""
    metrics.clear_metrics()

    def read() -> dict[str, float]:
        flush_metrics()
        sums: dict[str, float] = defaultdict(float)
        for line in capsys.readouterr().out.splitlines():
            document = json.loads(line)
            [declared] = document["_aws"]["CloudWatchMetrics"]
            assert declared["Namespace"] == "IAM26Remediation"
            for metric in declared["Metrics"]:
                name = document.get("outcome", metric["Name"])
                sums[f"{name} ({metric['Unit']})"] += sum(document[metric["Name"]])
        return dict(sums)

    yield read
    metrics.clear_metrics()


class Stopwatch:
    """Time that passes only when a test says so, in place of `time.monotonic`."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self.seconds


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """Return the time that deadlines are measured by."""
    stopwatch = Stopwatch()
    monkeypatch.setattr(time, "monotonic", stopwatch)
    return stopwatch
