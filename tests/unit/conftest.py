"""Unit tests reach nothing outside of their process."""

import os

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket

# How long an example takes says more about the machine than about the code.
settings.register_profile("default", deadline=None)
# `make mutants` runs these tests a thousand times over, and each run must find the same.
settings.register_profile(
    "mutants",
    max_examples=10,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes while a unit test waits."""
    monkeypatch.setattr("handlers.remediation.absence.OTHERS_SETTLE_AFTER_SECONDS", (0, 0))


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)
