"""Classic Load Balancers.

https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancers.html
"""

from typing import TYPE_CHECKING

from handlers.aws.references.source import Reader, Source

if TYPE_CHECKING:
    from mypy_boto3_elb import ElasticLoadBalancingClient

PAGE_SIZE = 400


async def read_load_balancers(reader: Reader) -> None:
    """Note the certificate of every listener of every Classic Load Balancer."""
    client: ElasticLoadBalancingClient = reader.client
    paginator = client.get_paginator("describe_load_balancers")
    async for page in reader.pages(paginator.paginate(PaginationConfig={"PageSize": PAGE_SIZE})):
        for balancer in page["LoadBalancerDescriptions"]:
            reader.examined += 1
            for description in balancer.get("ListenerDescriptions", []):
                listener = description.get("Listener", {})
                reader.note(
                    f"{balancer['LoadBalancerName']}:{listener.get('LoadBalancerPort', '?')}",
                    listener.get("SSLCertificateId"),
                )


SOURCE = Source(
    name="Classic Load Balancer",
    service="elb",
    read=read_load_balancers,
    is_paced=True,
    is_everywhere=True,
)
