"""EC2: the Regions enabled in the account."""

from typing import Any

import pytest

from local.aws.knobs import DEFAULT_REGIONS
from local.aws.patches import ec2
from local.aws.server import Aws
from tests.local.conftest import Unpatched

# One that has to be opted into, and one of another partition.
OPT_IN, CHINA = "af-south-1", "cn-north-1"


def list_regions(aws: Aws, **params: Any) -> dict[str, str]:
    regions = aws.client("ec2").describe_regions(**params)["Regions"]
    return {one["RegionName"]: one["OptInStatus"] for one in regions}


def test_only_enabled_regions_are_answered(aws: Aws, unpatched: Unpatched) -> None:
    """Without AllRegions an account sees the Regions it can use, and no other partition's."""
    assert list_regions(aws) == dict.fromkeys(DEFAULT_REGIONS, "opt-in-not-required")
    with unpatched(ec2.PATCH):
        moto = list_regions(aws)
        assert "not-opted-in" in moto.values()
        assert CHINA in moto


def test_a_region_that_was_opted_into_is_answered(aws: Aws) -> None:
    """A Region that the account opted into says so."""
    aws.knobs.enabled_regions = ("us-east-1", OPT_IN)
    assert list_regions(aws) == {"us-east-1": "opt-in-not-required", OPT_IN: "opted-in"}


def test_all_regions_are_answered_on_demand(aws: Aws) -> None:
    """AllRegions adds those that the account did not opt into, of its own partition."""
    regions = list_regions(aws, AllRegions=True)
    assert regions[OPT_IN] == "not-opted-in"
    assert set(DEFAULT_REGIONS) < set(regions)
    assert CHINA not in regions


@pytest.mark.parametrize("names", [["eu-west-1"], ["eu-west-1", "us-west-2"]])
def test_named_regions_are_answered_alone(aws: Aws, names: list[str]) -> None:
    """RegionNames narrows the answer."""
    assert list(list_regions(aws, RegionNames=names)) == names
