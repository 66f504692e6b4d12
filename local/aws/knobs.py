"""What a test or a demo may turn: the knobs of the world that the local AWS plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cache

import botocore.session

OWN_ACCOUNT = "111122223333"
HOME_REGION = "us-east-1"

# The Regions that every account has without opting in.
DEFAULT_REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)


@dataclass
class Unprocessed:
    """What BatchUpdateFindings answers for one finding instead of updating it, and how often."""

    error_code: str
    times: int = 1


@dataclass
class Knobs:
    """Everything that can be turned; the defaults are AWS as it usually behaves."""

    enabled_regions: tuple[str, ...] = DEFAULT_REGIONS
    """The Regions that ec2:DescribeRegions answers without AllRegions."""

    certificate_page_size: int | None = None
    """IAM's own limit on a page of server certificates, below what the caller asks for."""

    guard_certificates_in_use: bool = True
    """Whether IAM notices references and answers DeleteConflict; AWS says it may not."""

    finding_update_delay: timedelta = timedelta(0)
    """How long GetFindings goes on answering a finding as it was before an update."""

    unprocessed_findings: dict[str, Unprocessed] = field(default_factory=dict)
    """Finding ids that BatchUpdateFindings does not process, until `times` is used up."""

    beanstalk_denied: frozenset[str] = frozenset()
    """Elastic Beanstalk reads (operation names) without permission: they answer empty lists."""

    elb_rate_limit: bool = False
    """Whether ELB Describe* calls come out of a bucket of 40 that refills at 10 a second."""

    not_offered: frozenset[tuple[str, str]] = frozenset()
    """(service, Region) pairs whose endpoint does not resolve, besides the real ones."""

    only_offered_regions: bool = True
    """Whether AppSync and Elastic Beanstalk are missing where botocore lists no endpoint."""

    def reset(self) -> None:
        """Turn every knob back."""
        fresh = type(self)()
        for knob in fields(self):
            setattr(self, knob.name, getattr(fresh, knob.name))

    def is_offered(self, service: str, region: str) -> bool:
        """Return whether the service's endpoint resolves in the Region."""
        if (service, region) in self.not_offered:
            return False
        if not self.only_offered_regions:
            return True
        return region in _offered_regions().get(service, {region})


@cache
def _offered_regions() -> Mapping[str, frozenset[str]]:
    session = botocore.session.get_session()
    return {
        service: frozenset(
            region
            for partition in session.get_available_partitions()
            for region in session.get_available_regions(service, partition_name=partition)
        )
        for service in ("appsync", "elasticbeanstalk")
    }


# One for the process, because moto's backends are too.
knobs = Knobs()
