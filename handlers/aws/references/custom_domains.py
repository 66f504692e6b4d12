"""AppSync custom domain names.

https://docs.aws.amazon.com/appsync/latest/APIReference/API_ListDomainNames.html
"""

from typing import TYPE_CHECKING

from handlers.aws.answers import require_list, require_text
from handlers.aws.references.source import Reader, Source

if TYPE_CHECKING:
    from mypy_boto3_appsync import AppSyncClient


async def read_domain_names(reader: Reader) -> None:
    """Note the certificate of every custom domain name."""
    client: AppSyncClient = reader.client
    async for page in reader.pages(client.get_paginator("list_domain_names").paginate()):
        for domain in require_list(page, "domainNameConfigs", "ListDomainNames"):
            reader.examined += 1
            reader.note(
                require_text(domain, "domainName", "a domain name"),
                domain.get("certificateArn"),
                needs_certificate=True,
            )


SOURCE = Source(name="AppSync custom domain", service="appsync", read=read_domain_names)
