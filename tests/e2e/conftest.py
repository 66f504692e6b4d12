"""The application deployed once for all tests of the chain, with progress for a person."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from local.artifact import BUILT, FUNCTIONS, measure
from local.chain import Chain
from tests.e2e.deployed import PARAMETERS, Deployed

console = Console(stderr=True, width=100)


@pytest.fixture(scope="session", autouse=True)
def artifact(pytestconfig: pytest.Config) -> None:
    """Refuse to test without an artifact, and tell its size."""
    if not (BUILT / "template.yaml").exists():
        pytest.exit("There is no artifact: run `make e2e`, which builds it", returncode=2)
    with uncaptured(pytestconfig):
        for name in FUNCTIONS:
            megabytes = measure(BUILT / name) / 1e6
            console.print(f"\n{name}: {megabytes:.1f} MB unpacked", end="")
        console.print()


@contextmanager
def uncaptured(config: pytest.Config) -> Iterator[None]:
    """Let a block print to the terminal."""
    manager = config.pluginmanager.getplugin("capturemanager")
    with manager.global_and_fixture_disabled():
        yield


@pytest.fixture(scope="module")
def deployed(pytestconfig: pytest.Config) -> Iterator[Deployed]:
    """The stack, deployed with `sam deploy` into ministack and the mended moto."""
    with uncaptured(pytestconfig):
        console.print()
        started_at = time.monotonic()
        chain = Chain()
    with chain:
        with uncaptured(pytestconfig):
            console.print(f"ministack and mended moto run: {time.monotonic() - started_at:.1f} s")
            started_at = time.monotonic()
            chain.deploy(*PARAMETERS)
            console.print(f"sam deploy: {time.monotonic() - started_at:.1f} s")
        yield Deployed(chain)


@pytest.fixture(autouse=True)
def clean_queues(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no message of one test to the next."""
    yield
    if "deployed" in request.fixturenames:
        request.getfixturevalue("deployed").drain()
