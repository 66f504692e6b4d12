"""Partitions: a request belongs to the Region it is signed for, also in GovCloud."""

from __future__ import annotations

from typing import Any

from moto.core.responses import BaseResponse

from local.aws.patches.patch import Patch

PATCH = Patch(
    "partitions",
    "global endpoints of GovCloud (iam.us-gov.amazonaws.com) are taken for the Region us-gov, "
    "which belongs to the partition aws",
)

GOVCLOUD_HOST_LABEL = "us-gov"


@PATCH.replace(BaseResponse, "get_region_from_url")
def get_region_from_url(self: BaseResponse, request: Any, full_url: str) -> str:
    """Return the Region of a request."""
    region: str = PATCH.original(BaseResponse, "get_region_from_url")(self, request, full_url)
    if region != GOVCLOUD_HOST_LABEL:
        return region
    return str(request.headers["Authorization"].split(",")[0].split("/")[2])
