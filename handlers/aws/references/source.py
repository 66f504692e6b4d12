"""What a source of references is, and what it reads with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from aiolimiter import AsyncLimiter

from handlers.aws.answers import IncompleteReadingError, find_next_page, understand
from models.reference import GapKind, Reference, select_identifiers

P = ParamSpec("P")
R = TypeVar("R")
Item = TypeVar("Item")
Page = TypeVar("Page", bound=Mapping[str, Any])

# How often something is listed of which a part vanishes before it is read.
LOOKS = 3


class VanishedError(Exception):
    """What was listed does not exist any more; whatever stands in its place was not listed yet."""


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
        self._found: dict[Reference, None] = {}
        self._pool = pool
        self._source = source
        self._region = region
        self._pace = pace

    @property
    def found(self) -> tuple[Reference, ...]:
        """Every reference that was seen, each once. What was seen stays seen."""
        return tuple(self._found)

    async def call(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the answer of one AWS call."""
        await self._wait_turn()
        answer = await self._run(lambda: operation(*args, **kwargs))
        self.calls += 1
        return answer

    async def pages(self, paginator: Iterable[Page]) -> AsyncIterator[Page]:
        """Return the pages of a boto3 paginator, to the last one.

        Raises:
            IncompleteReadingError: the pages go round in a circle.
        """
        iterator = iter(paginator)
        announced: set[str] = set()
        await self._wait_turn()
        while (page := await self._run(lambda: next(iterator, None))) is not None:
            self.calls += 1
            yield page
            following = find_next_page(page)
            if following is None:
                continue
            if following in announced:
                raise IncompleteReadingError("the same page was announced twice")
            announced.add(following)
            await self._wait_turn()

    async def in_parallel(self, readings: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
        """Return what several readings return; the first that fails ends the others."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(reading) for reading in readings]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def read_listed(
        self,
        pages: Callable[[], AsyncIterator[Mapping[str, Item]]],
        read: Callable[[Item], Awaitable[None]],
    ) -> None:
        """Read whatever is listed, and list it again when a part of it has vanished meanwhile.

        What vanished may have been replaced by something that was in no list yet.

        Args:
            pages: lists the items, each under a key that no other item ever has.
            read: reads one of them.

        Raises:
            IncompleteReadingError: something vanished each time.
        """
        done: set[str] = set()

        async def has_vanished(key: str, item: Item) -> bool:
            try:
                await read(item)
            except VanishedError:
                return True
            done.add(key)
            return False

        for _ in range(LOOKS):
            vanished = False
            try:
                async for page in pages():
                    fresh = [(key, item) for key, item in page.items() if key not in done]
                    gone = await self.in_parallel(has_vanished(*one) for one in fresh)
                    vanished = vanished or any(gone)
            except VanishedError:
                vanished = True
            if not vanished:
                return
        raise IncompleteReadingError("it kept changing while it was read", GapKind.CHANGING)

    def note(
        self, holder: str, *named: str | None, needs_certificate: bool, live: bool = True
    ) -> None:
        """Keep what a holder names; see `select_identifiers`."""
        for identifier in select_identifiers(named, needs_certificate=needs_certificate):
            reference = Reference(
                source=self._source,
                region=self._region,
                holder=holder,
                identifier=identifier,
                live=live,
            )
            self._found[reference] = None

    async def _wait_turn(self) -> None:
        if self._pace:
            await self._pace.acquire()

    async def _run(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, understand, work)


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
        absent_from: the partitions that are known to be without it.
    """

    name: str
    service: str
    read: Callable[[Reader], Awaitable[None]]
    is_global: bool = False
    is_paced: bool = False
    is_everywhere: bool = False
    absent_from: frozenset[str] = frozenset()
