"""CloudFront distributions, which name an IAM certificate by its id.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ViewerCertificate.html
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handlers.aws.answers import (
    check_truncation,
    require_counted,
    require_part,
    require_text,
)
from handlers.aws.references.source import Reader, Source

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudfront.type_defs import DistributionSummaryTypeDef

# https://docs.aws.amazon.com/general/latest/gr/cf_region.html
PARTITIONS_WITHOUT_CLOUDFRONT = frozenset(
    {"aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"}
)


async def read_distributions(reader: Reader) -> None:
    """Note the viewer certificate of every distribution."""
    client: CloudFrontClient = reader.client
    async for page in reader.pages(client.get_paginator("list_distributions").paginate()):
        listed = require_part(page, "DistributionList", "ListDistributions")
        for distribution in require_counted(listed, "ListDistributions"):
            reader.examined += 1
            _note_certificates(reader, distribution)
        check_truncation(listed, "ListDistributions")


def _note_certificates(reader: Reader, distribution: "DistributionSummaryTypeDef") -> None:
    name = require_text(distribution, "Id", "a distribution")
    of = f"distribution {name}"
    viewer = require_part(distribution, "ViewerCertificate", of)
    reader.note(
        name,
        viewer.get("IAMCertificateId"),
        viewer.get("ACMCertificateArn"),
        # The deprecated twin of both.
        viewer.get("Certificate"),
        needs_certificate=not _is_served_by_default(distribution, viewer, of),
    )


def _is_served_by_default(
    distribution: "DistributionSummaryTypeDef", viewer: Mapping[str, Any], of: str
) -> bool:
    """Return whether CloudFront's own certificate is enough for a distribution's names."""
    if viewer.get("CloudFrontDefaultCertificate") is True:
        return True
    return not require_counted(require_part(distribution, "Aliases", of), f"Aliases of {of}")


SOURCE = Source(
    name="CloudFront distribution",
    service="cloudfront",
    read=read_distributions,
    is_global=True,
    absent_from=PARTITIONS_WITHOUT_CLOUDFRONT,
)
