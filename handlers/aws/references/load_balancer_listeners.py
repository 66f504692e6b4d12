"""Listeners of Application and Network Load Balancers: default certificates and SNI lists.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListenerCertificates.html
"""

from typing import TYPE_CHECKING

from handlers.aws.references.source import Reader, Source

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import ListenerTypeDef, LoadBalancerTypeDef

PAGE_SIZE = 400

# A protocol that is not known here may carry certificates, so it is asked.
PROTOCOLS_WITHOUT_CERTIFICATE = frozenset(
    {"HTTP", "TCP", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"}
)


async def read_load_balancers(reader: Reader) -> None:
    """Note the certificates of every listener of every load balancer."""
    client: ElasticLoadBalancingv2Client = reader.client
    paginator = client.get_paginator("describe_load_balancers")
    async for page in reader.pages(paginator.paginate(PaginationConfig={"PageSize": PAGE_SIZE})):
        await reader.in_parallel(
            _read_listeners(reader, balancer)
            for balancer in page["LoadBalancers"]
            if balancer.get("Type") != "gateway"
        )


async def _read_listeners(reader: Reader, balancer: "LoadBalancerTypeDef") -> None:
    client: ElasticLoadBalancingv2Client = reader.client
    reader.examined += 1
    paginator = client.get_paginator("describe_listeners").paginate(
        LoadBalancerArn=balancer["LoadBalancerArn"], PaginationConfig={"PageSize": PAGE_SIZE}
    )
    try:
        async for page in reader.pages(paginator):
            # At once, so that these count even if a call for an SNI list fails.
            for listener in page["Listeners"]:
                for certificate in listener.get("Certificates", []):
                    reader.note(_name(balancer, listener), certificate.get("CertificateArn"))
            await reader.in_parallel(
                _read_certificates(reader, balancer, listener)
                for listener in page["Listeners"]
                if listener.get("Protocol") not in PROTOCOLS_WITHOUT_CERTIFICATE
            )
    except client.exceptions.LoadBalancerNotFoundException:
        return  # It was deleted since it was listed, and its listeners with it.


async def _read_certificates(
    reader: Reader, balancer: "LoadBalancerTypeDef", listener: "ListenerTypeDef"
) -> None:
    client: ElasticLoadBalancingv2Client = reader.client
    holder = _name(balancer, listener)
    paginator = client.get_paginator("describe_listener_certificates").paginate(
        ListenerArn=listener["ListenerArn"], PaginationConfig={"PageSize": PAGE_SIZE}
    )
    try:
        # No other call shows the SNI list.
        async for page in reader.pages(paginator):
            for certificate in page["Certificates"]:
                reader.note(holder, certificate.get("CertificateArn"))
    except client.exceptions.ListenerNotFoundException:
        reader.forget(holder)  # It was deleted since it was listed.


def _name(balancer: "LoadBalancerTypeDef", listener: "ListenerTypeDef") -> str:
    return f"{balancer.get('LoadBalancerName', '?')}:{listener.get('Port', '?')}"


SOURCE = Source(
    name="Load balancer listener",
    service="elbv2",
    read=read_load_balancers,
    is_paced=True,
    is_everywhere=True,
)
