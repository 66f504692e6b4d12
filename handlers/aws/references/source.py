"""What a source of references is, and what it reads with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from aiolimiter import AsyncLimiter

from models.reference import Reference

P = ParamSpec("P")
R = TypeVar("R")
Page = TypeVar("Page", bound=Mapping[str, Any])


# How the paced APIs, both of Elastic Load Balancing, say that there is another page. Without it
# the paginator ends with no further call, which needs no turn.
CONTINUATION = "NextMarker"


class IncompleteReadingError(Exception):
    """A source answered, but not all that it must; the message says what is missing."""


class Reader:
    """One source in one Region: its client, called in parallel, and what was read so far.

    Every call runs on a thread of the pool that the whole scan shares, so the number of calls
    under way is bounded however many sources and Regions there are.

    Args:
        client: the service's client in the Region.
        pool: the scan's threads.
        source: the kind of resource, as notes call it.
        region: the Region, or `global`.
        pace: when a call may go out; None for at once.
    """

    def __init__(
        self,
        client: Any,
        pool: Executor,
        source: str,
        region: str,
        pace: AsyncLimiter | None = None,
    ) -> None:
        self.client = client
        self.examined = 0
        self.calls = 0
        self.found: list[Reference] = []
        self._pool = pool
        self._source = source
        self._region = region
        self._pace = pace

    async def call(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the answer of one AWS call."""
        await self._wait_turn()
        answer = await self._run(lambda: operation(*args, **kwargs))
        self.calls += 1
        return answer

    async def pages(self, paginator: Iterable[Page]) -> AsyncIterator[Page]:
        """Return the pages of a boto3 paginator, to the last one."""
        iterator = iter(paginator)
        await self._wait_turn()
        while (page := await self._run(lambda: next(iterator, None))) is not None:
            self.calls += 1
            yield page
            if page.get(CONTINUATION):
                await self._wait_turn()

    async def in_parallel(self, readings: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Wait for several readings; the first that fails ends the others and is raised."""
        try:
            async with asyncio.TaskGroup() as group:
                for reading in readings:
                    group.create_task(reading)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def note(self, holder: str, identifier: str | None, *, live: bool = True) -> None:
        """Keep that a holder names a certificate; those of other services are passed over."""
        if identifier and (is_iam_arn(identifier) or not identifier.startswith("arn:")):
            self.found.append(
                Reference(
                    source=self._source,
                    region=self._region,
                    holder=holder,
                    identifier=identifier,
                    live=live,
                )
            )

    def forget(self, holder: str) -> None:
        """Drop what a holder named: it is gone."""
        self.found = [one for one in self.found if one.holder != holder]

    async def _wait_turn(self) -> None:
        if self._pace:
            await self._pace.acquire()

    async def _run(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


@dataclass(frozen=True, slots=True)
class Source:
    """A service that can hold an IAM server certificate.

    Attributes:
        name: the kind of resource, as notes call it.
        service: the service's name in boto3.
        read: reads one Region to its last page and notes every certificate that is named there.
        is_global: the service has one endpoint for all Regions of the partition.
        is_everywhere: every Region has it, so an endpoint that does not resolve is a failure.
        is_paced: its rate limit is tight and shared with the customer's own controllers.
    """

    name: str
    service: str
    read: Callable[[Reader], Awaitable[None]]
    is_global: bool = False
    is_paced: bool = False
    is_everywhere: bool = False


def is_iam_arn(text: str) -> bool:
    """Return whether a text has the ARN of an IAM server certificate in it."""
    return ":server-certificate/" in text
