"""The scan of one account: every source, in every Region, to the last page, in parallel."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiolimiter import AsyncLimiter
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from handlers.aws.clients import CALLS_AT_ONCE, Clients
from handlers.aws.errors import is_unresolved_endpoint, translate_error, translated_errors
from handlers.aws.references import (
    beanstalk_configurations,
    classic_load_balancers,
    custom_domains,
    distributions,
    load_balancer_listeners,
)
from handlers.aws.references.source import IncompleteReadingError, Reader, Source
from models.errors import AwsCallError, TransientError
from models.reference import FRESH_FOR, GLOBAL, Coverage, CoverageState, Gap, Reference, References
from models.settings import DeniedRegions, Settings

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

SOURCES: tuple[Source, ...] = (
    classic_load_balancers.SOURCE,
    load_balancer_listeners.SOURCE,
    distributions.SOURCE,
    custom_domains.SOURCE,
    beanstalk_configurations.SOURCE,
)


# https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/API-throttling.html
BUCKET_SECONDS = 4


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

    def run(self, seconds_left: float | None) -> References:
        """Return everything in the account that refers to IAM server certificates.

        Args:
            seconds_left: how long it may take; None for as long as it takes.

        Raises:
            TransientError: a source could not answer now, or the time was not enough.
        """
        started_at = self.clock()
        try:
            enabled = self._list_regions()
        except AwsCallError as error:
            gap = Gap(source="The list of Regions", region=self.clients.region, cause=error.cause)
            return References(started_at=started_at, finished_at=self.clock(), gaps=(gap,))
        chosen = self.settings.regions or enabled
        regions = [one for one in enabled if one in chosen]
        # What REGIONS leaves out, and what it names in vain.
        left_out = tuple(sorted(set(enabled) ^ set(chosen)))
        if not regions:
            gap = Gap(source="Every source", region=GLOBAL, cause="no Region of REGIONS is enabled")
            return References(
                started_at=started_at,
                finished_at=self.clock(),
                gaps=(gap,),
                regions_left_out=left_out,
            )
        longest = FRESH_FOR.total_seconds()
        places = self._read_all(regions, min(longest, seconds_left or longest))
        return References(
            started_at=started_at,
            finished_at=self.clock(),
            found=tuple(reference for place in places for reference in place.found),
            coverage=tuple(p.result for p in places if isinstance(p.result, Coverage)),
            gaps=tuple(p.result for p in places if isinstance(p.result, Gap)),
            regions_left_out=left_out,
            calls=1 + sum(place.calls for place in places),
        )

    def _list_regions(self) -> list[str]:
        """Return the Regions that are enabled in the account."""
        ec2: EC2Client = self.clients.get("ec2")
        with translated_errors("DescribeRegions"):
            return sorted(one["RegionName"] for one in ec2.describe_regions()["Regions"])

    def _spread(self, regions: Sequence[str]) -> list[tuple[Source, str]]:
        return [
            (source, region)
            for source in self.sources
            for region in ([GLOBAL] if source.is_global else regions)
            if not source.is_global or self.clients.is_in_partition(source.service)
        ]

    def _read_all(self, regions: Sequence[str], seconds: float) -> list[Place]:
        pool = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="scan")
        try:
            return asyncio.run(self._read_places(pool, self._spread(regions), seconds))
        finally:
            # A call that hangs must not hold up the report.
            pool.shutdown(wait=False, cancel_futures=True)

    async def _read_places(
        self, pool: Executor, places: Sequence[tuple[Source, str]], seconds: float
    ) -> list[Place]:
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read_place(pool, source, region))
                    for source, region in places
                ]
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
        client = await asyncio.get_running_loop().run_in_executor(
            pool, self._make_client, source, region
        )
        reader = Reader(client, pool, source.name, region, self._make_pace(source))
        try:
            await source.read(reader)
        except IncompleteReadingError as error:
            result: Coverage | Gap = Gap(source=source.name, region=region, cause=str(error))
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            result = self._weigh_error(error, source, region, has_answered=reader.calls > 0)
        else:
            result = self._cover(source, region, CoverageState.READ, reader.examined)
        return Place(result, tuple(reader.found), reader.calls)

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
        translated = translate_error(error, source.service)
        if isinstance(translated, TransientError):
            raise translated from error
        # A policy that denies the Region denies the first call; another one leaves a gap.
        if not has_answered and self._is_out_of_scope(translated, source):
            return self._cover(source, region, CoverageState.OUT_OF_SCOPE)
        return Gap(source=source.name, region=region, cause=translated.cause)

    def _is_not_offered(self, error: Exception, source: Source, region: str) -> bool:
        return (
            is_unresolved_endpoint(error)
            and not (source.is_global or source.is_everywhere)
            and not self.clients.is_listed(source.service, region)
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
