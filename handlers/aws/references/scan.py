"""The scan of one account: every source, in every Region, to the last page, in parallel."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from aiolimiter import AsyncLimiter
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from handlers.aws.answers import (
    IncompleteReadingError,
    require_list,
    require_text,
    understand,
)
from handlers.aws.clients import CALLS_AT_ONCE, Clients
from handlers.aws.errors import is_unresolved_endpoint, translate_error, translated_errors
from handlers.aws.references import (
    beanstalk_configurations,
    classic_load_balancers,
    custom_domains,
    distributions,
    load_balancer_listeners,
)
from handlers.aws.references.source import Reader, Source
from models.errors import AwsCallError, TransientError
from models.reference import (
    FRESH_FOR,
    GLOBAL,
    Coverage,
    CoverageState,
    Gap,
    GapKind,
    Reference,
    References,
)
from models.settings import DeniedRegions, Settings

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import DescribeRegionsResultTypeDef

SOURCES: tuple[Source, ...] = (
    classic_load_balancers.SOURCE,
    load_balancer_listeners.SOURCE,
    distributions.SOURCE,
    custom_domains.SOURCE,
    beanstalk_configurations.SOURCE,
)


# https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/API-throttling.html
BUCKET_SECONDS = 4


# Any other answer, and none, means that a Region may be used, so it is read.
NOT_ENABLED = "not-opted-in"

LIST_OF_REGIONS = "The list of Regions"


class Progress(NamedTuple):
    """How far a scan is: of so many places, counted as a source in a Region, it has read some."""

    done: int
    places: int


Watcher = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Regions:
    """The Regions of a partition, as an account may use them."""

    enabled: tuple[str, ...]
    not_enabled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One source in one Region: it counts for the proof, or it leaves a gap."""

    result: Coverage | Gap
    found: tuple[Reference, ...]
    calls: int


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of one account.

    Attributes:
        clients: clients with credentials of that account.
        settings: the Regions in scope, and what a denied one means.
        clock: returns the time in UTC.
        sources: the services to read.
    """

    clients: Clients
    settings: Settings
    clock: Callable[[], datetime]
    sources: Sequence[Source] = SOURCES

    def run(self, seconds_left: float | None, watch: Watcher | None = None) -> References:
        """Return everything in the account that refers to IAM server certificates.

        Args:
            seconds_left: how long it may take; None for as long as it takes.
            watch: learns how far the scan is.

        Raises:
            TransientError: a source could not answer now, or the time was not enough.
        """
        started_at = self.clock()
        regions = self._list_regions()
        if isinstance(regions, Gap):
            return References(started_at=started_at, finished_at=self.clock(), gaps=(regions,))
        chosen = self.settings.regions or regions.enabled
        longest = FRESH_FOR.total_seconds()
        places = self._read_all(
            [one for one in regions.enabled if one in chosen],
            min(longest, seconds_left or longest),
            watch,
        )
        unknown = [one for one in chosen if one not in regions.enabled]
        return References(
            started_at=started_at,
            finished_at=self.clock(),
            found=tuple(reference for place in places for reference in place.found),
            coverage=tuple(p.result for p in places if isinstance(p.result, Coverage)),
            gaps=(
                *(Gap.of_unknown_region(one) for one in unknown),
                *(p.result for p in places if isinstance(p.result, Gap)),
            ),
            regions_left_out=tuple(one for one in regions.enabled if one not in chosen),
            regions_not_enabled=regions.not_enabled,
            calls=1 + sum(place.calls for place in places),
        )

    def _list_regions(self) -> Regions | Gap:
        """Return the Regions of the partition, or why it is not known which are enabled.

        Raises:
            TransientError: EC2 could not answer now.
        """
        try:
            return _sort_regions(understand(self._describe_regions))
        except IncompleteReadingError as error:
            return _leave_gap(error, LIST_OF_REGIONS, self.clients.region)
        except AwsCallError as error:
            return Gap.of_error(error, source=LIST_OF_REGIONS, region=self.clients.region)

    def _describe_regions(self) -> "DescribeRegionsResultTypeDef":
        ec2: EC2Client = self.clients.get("ec2")
        with translated_errors("DescribeRegions"):
            return ec2.describe_regions(AllRegions=True)

    def _spread(self, regions: Sequence[str]) -> list[tuple[Source, str]]:
        return [
            (source, region)
            for source in self.sources
            for region in ([GLOBAL] if source.is_global else regions)
        ]

    def _read_all(
        self, regions: Sequence[str], seconds: float, watch: Watcher | None
    ) -> list[Place]:
        pool = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="scan")
        try:
            return asyncio.run(self._read_places(pool, self._spread(regions), seconds, watch))
        finally:
            # A call that hangs must not hold up the report.
            pool.shutdown(wait=False, cancel_futures=True)

    async def _read_places(
        self,
        pool: Executor,
        places: Sequence[tuple[Source, str]],
        seconds: float,
        watch: Watcher | None,
    ) -> list[Place]:
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read_place(pool, source, region))
                    for source, region in places
                ]
                if watch:
                    _report_progress(tasks, watch)
        except TimeoutError as error:
            raise TransientError(f"the scan took longer than {seconds:.0f} s") from error
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _read_place(self, pool: Executor, source: Source, region: str) -> Place:
        """Read one source in one Region.

        Raises:
            TransientError: it could not answer now.
        """
        if self.clients.partition in source.absent_from:
            return Place(self._cover(source, region, CoverageState.NOT_OFFERED), found=(), calls=0)
        client = await asyncio.get_running_loop().run_in_executor(
            pool, self._make_client, source, region
        )
        reader = Reader(client, pool, source.name, region, self._make_pace(source))
        try:
            await source.read(reader)
        except IncompleteReadingError as error:
            result: Coverage | Gap = _leave_gap(error, source.name, region)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            result = self._weigh_error(error, source, region, has_answered=reader.calls > 0)
        else:
            result = self._cover(source, region, CoverageState.READ, reader.examined)
        return Place(result, reader.found, reader.calls)

    def _make_client(self, source: Source, region: str) -> Any:
        if source.is_global:
            return self.clients.get(source.service)
        return self.clients.get_regional(source.service, region)

    def _make_pace(self, source: Source) -> AsyncLimiter | None:
        """Return a bucket like AWS's own, which holds four times what flows in each second."""
        if not source.is_paced:
            return None
        return AsyncLimiter(self.settings.elb_calls_per_second * BUCKET_SECONDS, BUCKET_SECONDS)

    def _weigh_error(
        self, error: Exception, source: Source, region: str, *, has_answered: bool
    ) -> Coverage | Gap:
        """Return what an error means for the proof.

        Raises:
            TransientError: it means nothing yet.
        """
        if not has_answered and self._is_not_offered(error, source, region):
            return self._cover(source, region, CoverageState.NOT_OFFERED)
        if not has_answered and self._is_nowhere(error, source):
            return Gap(
                source=source.name,
                region=region,
                cause=f"its endpoint in partition {self.clients.partition} does not resolve",
                kind=GapKind.UNREACHABLE,
            )
        translated = translate_error(error, source.service)
        if isinstance(translated, TransientError):
            raise translated from error
        # A policy that denies the Region denies the first call; another one leaves a gap.
        if not has_answered and self._is_out_of_scope(translated, source):
            return self._cover(source, region, CoverageState.OUT_OF_SCOPE)
        return Gap.of_error(translated, source=source.name, region=region)

    def _is_not_offered(self, error: Exception, source: Source, region: str) -> bool:
        return (
            is_unresolved_endpoint(error)
            and not (source.is_global or source.is_everywhere)
            and not self.clients.is_listed(source.service, region)
        )

    def _is_nowhere(self, error: Exception, source: Source) -> bool:
        """Return whether a global service may lack an endpoint, which time would not bring."""
        return (
            is_unresolved_endpoint(error)
            and source.is_global
            and not self.clients.is_in_partition(source.service)
        )

    def _is_out_of_scope(self, error: AwsCallError, source: Source) -> bool:
        return (
            error.denied_by_policy
            and not source.is_global
            and self.settings.denied_regions is DeniedRegions.OUT_OF_SCOPE
        )

    def _cover(
        self, source: Source, region: str, state: CoverageState, examined: int = 0
    ) -> Coverage:
        return Coverage(
            source=source.name,
            region=region,
            state=state,
            examined=examined,
            checked_at=self.clock(),
        )


def _report_progress(tasks: Sequence[asyncio.Task[Place]], watch: Watcher) -> None:
    """Tell a watcher now, and whenever one more place was read, how many are."""
    done = itertools.count(1)
    watch(Progress(0, len(tasks)))
    for task in tasks:
        task.add_done_callback(lambda _: watch(Progress(next(done), len(tasks))))


def _leave_gap(error: IncompleteReadingError, source: str, region: str) -> Gap:
    return Gap(source=source, region=region, cause=str(error), kind=error.kind)


def _sort_regions(answer: "DescribeRegionsResultTypeDef") -> Regions:
    """Return the Regions in an answer of EC2.

    Raises:
        IncompleteReadingError: it has none that the account may use.
    """
    regions = {
        (require_text(one, "RegionName", "a Region"), one.get("OptInStatus"))
        for one in require_list(answer, "Regions", "DescribeRegions")
    }
    enabled = sorted({name for name, status in regions if status != NOT_ENABLED})
    if not enabled:
        raise IncompleteReadingError("DescribeRegions has no enabled Region")
    return Regions(tuple(enabled), tuple(sorted({name for name, _ in regions} - {*enabled})))
