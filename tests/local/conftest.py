"""The local AWS in this process, and moto as it came beside it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from local.aws import faults
from local.aws.patches.patch import Patch
from local.aws.server import Aws, in_process

Unpatched = Callable[[Patch], AbstractContextManager[None]]


@pytest.fixture
def aws() -> Iterator[Aws]:
    """A fresh local AWS, in which the SDK retries without waiting."""
    with in_process() as aws, faults.skip_backoff():
        yield aws


@pytest.fixture
def unpatched(aws: Aws) -> Unpatched:
    """Take one patch back for a block, in a world of its own."""

    @contextmanager
    def take_back(patch: Patch) -> Iterator[None]:
        aws.reset()
        with patch.undone():
            yield
        aws.reset()

    return take_back
