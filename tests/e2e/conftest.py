"""The application, deployed once for each file of tests."""

from collections.abc import Iterator

import pytest

from local.artifact.chain import Chain
from local.artifact.template import BUILT
from tests.e2e.deployment import PARAMETERS, Deployment


@pytest.fixture(scope="session", autouse=True)
def artifact() -> None:
    """Refuse to test without an artifact."""
    if not (BUILT / "template.yaml").exists():
        pytest.exit("There is no artifact: run `make e2e`, which builds it", returncode=2)


@pytest.fixture(autouse=True)
def sockets(socket_enabled: None) -> None:
    """Let tests reach what they start."""


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """The stack, deployed with `sam deploy` into ministack and the patched moto."""
    with Chain() as chain:
        chain.deploy(*PARAMETERS)
        yield Deployment(chain.aws, chain)


@pytest.fixture(autouse=True)
def clean_queues(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no message of one test to the next."""
    yield
    if "deployment" in request.fixturenames:
        request.getfixturevalue("deployment").drain()
