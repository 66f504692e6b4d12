"""Classic Load Balancers.

https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancers.html
"""

from typing import TYPE_CHECKING

from handlers.aws.answers import require_list, require_part, require_text
from handlers.aws.references.source import Reader, Source
from models.reference import serves_tls

if TYPE_CHECKING:
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elb.type_defs import LoadBalancerDescriptionTypeDef

PAGE_SIZE = 400


async def read_load_balancers(reader: Reader) -> None:
    """Note the certificate of every listener of every Classic Load Balancer."""
    client: ElasticLoadBalancingClient = reader.client
    paginator = client.get_paginator("describe_load_balancers")
    async for page in reader.pages(paginator.paginate(PaginationConfig={"PageSize": PAGE_SIZE})):
        for balancer in require_list(page, "LoadBalancerDescriptions", "DescribeLoadBalancers"):
            reader.examined += 1
            _note_listeners(reader, balancer)


def _note_listeners(reader: Reader, balancer: "LoadBalancerDescriptionTypeDef") -> None:
    name = require_text(balancer, "LoadBalancerName", "a load balancer")
    of = f"load balancer {name}"
    for description in require_list(balancer, "ListenerDescriptions", of):
        listener = require_part(description, "Listener", f"a listener of {of}")
        reader.note(
            f"{name}:{listener.get('LoadBalancerPort', '?')}",
            listener.get("SSLCertificateId"),
            needs_certificate=serves_tls(listener.get("Protocol")),
        )


SOURCE = Source(
    name="Classic Load Balancer",
    service="elb",
    read=read_load_balancers,
    is_paced=True,
    is_everywhere=True,
)
