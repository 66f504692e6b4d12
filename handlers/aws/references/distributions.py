"""CloudFront distributions, which name an IAM certificate by its id.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ViewerCertificate.html
"""

from typing import TYPE_CHECKING

from handlers.aws.references.source import Reader, Source

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient


async def read_distributions(reader: Reader) -> None:
    """Note the viewer certificate of every distribution."""
    client: CloudFrontClient = reader.client
    async for page in reader.pages(client.get_paginator("list_distributions").paginate()):
        for distribution in page["DistributionList"].get("Items", []):
            reader.examined += 1
            viewer = distribution.get("ViewerCertificate", {})
            reader.note(distribution["Id"], viewer.get("IAMCertificateId"))
            if viewer.get("CertificateSource") == "iam":
                reader.note(distribution["Id"], viewer.get("Certificate"))


SOURCE = Source(
    name="CloudFront distribution",
    service="cloudfront",
    read=read_distributions,
    is_global=True,
)
