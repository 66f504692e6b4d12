"""Partitions: a request belongs to the Region it is signed for, also in GovCloud.

moto takes the host of GovCloud's global endpoints (iam.us-gov.amazonaws.com) for a Region `us-gov`,
which it finds in the partition `aws`. So the Region of such a request is that of its signature
here.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import BaseResponse

from local.aws.patches.patch import Patch

PATCH = Patch("partitions")

GOVCLOUD_HOST_LABEL = "us-gov"


@PATCH.replace(BaseResponse, "get_region_from_url")
def get_region_from_url(self: BaseResponse, request: Any, full_url: str) -> str:
    """Return the Region of a request."""
    region: str = PATCH.original(BaseResponse, "get_region_from_url")(self, request, full_url)
    if region != GOVCLOUD_HOST_LABEL:
        return region
    return str(request.headers["Authorization"].split(",")[0].split("/")[2])
