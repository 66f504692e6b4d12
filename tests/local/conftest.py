"""The local AWS in this process, and moto as it came beside it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from pytest_socket import disable_socket, enable_socket

from local import faults, in_process
from local.aws import Aws
from local.mends.mend import Mend

Unmended = Callable[[Mend], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def no_sockets() -> Iterator[None]:
    """Let nothing leave the process; an event loop needs a Unix socket pair."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture
def aws() -> Iterator[Aws]:
    """A fresh local AWS, in which the SDK retries without waiting."""
    with in_process() as aws, faults.skip_backoff():
        yield aws


@pytest.fixture
def unmended(aws: Aws) -> Unmended:
    """Take one mend back for a block, in a world of its own."""

    @contextmanager
    def take_back(mend: Mend) -> Iterator[None]:
        aws.reset()
        with mend.undone():
            yield
        aws.reset()

    return take_back
