"""EC2: DescribeRegions answers the Regions enabled in the account.

moto answers every Region that it knows of, opted into or not. So what an account has enabled can be
set here, and `AllRegions` adds the others of the partition.
"""

from __future__ import annotations

from typing import Any

import boto3
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions

from local.aws.knobs import DEFAULT_REGIONS, knobs
from local.aws.patches.patch import Patch, Request

PATCH = Patch("ec2")


@PATCH.replace_operation(AvailabilityZonesAndRegions, "DescribeRegions")
def describe_regions(request: Request) -> dict[str, Any]:
    """Answer DescribeRegions."""
    regions = set(knobs.enabled_regions)
    if request.params.get("AllRegions"):
        regions.update(boto3.Session().get_available_regions("ec2", request.partition))
    if names := request.params.get("RegionNames"):
        regions.intersection_update(names)
    return {"Regions": [_describe(region) for region in sorted(regions)]}


def _describe(region: str) -> dict[str, str]:
    if region not in knobs.enabled_regions:
        status = "not-opted-in"
    else:
        status = "opt-in-not-required" if region in DEFAULT_REGIONS else "opted-in"
    return {
        "RegionName": region,
        "Endpoint": f"ec2.{region}.amazonaws.com",
        "OptInStatus": status,
    }
