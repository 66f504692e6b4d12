"""Listeners of Application and Network Load Balancers: default certificates and SNI lists.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListenerCertificates.html
"""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from handlers.aws.answers import require_list, require_text
from handlers.aws.references.source import Reader, Source, VanishedError
from models.reference import serves_tls

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import ListenerTypeDef, LoadBalancerTypeDef

PAGE_SIZE = 400


async def read_load_balancers(reader: Reader) -> None:
    """Note the certificates of every listener of every load balancer."""

    async def read(balancer: "LoadBalancerTypeDef") -> None:
        await _read_load_balancer(reader, balancer)

    await reader.read_listed(lambda: _list_load_balancers(reader), read)


async def _list_load_balancers(
    reader: Reader,
) -> AsyncIterator[Mapping[str, "LoadBalancerTypeDef"]]:
    client: ElasticLoadBalancingv2Client = reader.client
    paginator = client.get_paginator("describe_load_balancers")
    async for page in reader.pages(paginator.paginate(PaginationConfig={"PageSize": PAGE_SIZE})):
        yield {
            require_text(balancer, "LoadBalancerArn", "a load balancer"): balancer
            for balancer in require_list(page, "LoadBalancers", "DescribeLoadBalancers")
            if balancer.get("Type") != "gateway"
        }


async def _read_load_balancer(reader: Reader, balancer: "LoadBalancerTypeDef") -> None:
    client: ElasticLoadBalancingv2Client = reader.client
    name = require_text(balancer, "LoadBalancerName", "a load balancer")

    async def read(listener: "ListenerTypeDef") -> None:
        await _read_sni_list(reader, name, listener)

    try:
        await reader.read_listed(
            lambda: _list_secure_listeners(reader, balancer["LoadBalancerArn"], name), read
        )
    except client.exceptions.LoadBalancerNotFoundException as error:
        raise VanishedError from error
    reader.examined += 1


async def _list_secure_listeners(
    reader: Reader, arn: str, name: str
) -> AsyncIterator[Mapping[str, "ListenerTypeDef"]]:
    """Return the listeners that can have an SNI list, and note the default certificates of all."""
    client: ElasticLoadBalancingv2Client = reader.client
    paginator = client.get_paginator("describe_listeners").paginate(
        LoadBalancerArn=arn, PaginationConfig={"PageSize": PAGE_SIZE}
    )
    async for page in reader.pages(paginator):
        listeners = {
            require_text(one, "ListenerArn", f"a listener of load balancer {name}"): one
            for one in require_list(page, "Listeners", f"DescribeListeners of {name}")
        }
        # At once, so that these count even if a call for an SNI list fails.
        for listener in listeners.values():
            reader.note(
                _name(name, listener),
                *_read_arns(listener.get("Certificates", []), _name(name, listener)),
                needs_certificate=serves_tls(listener.get("Protocol")),
            )
        yield {key: one for key, one in listeners.items() if serves_tls(one.get("Protocol"))}


async def _read_sni_list(reader: Reader, balancer: str, listener: "ListenerTypeDef") -> None:
    client: ElasticLoadBalancingv2Client = reader.client
    holder = _name(balancer, listener)
    paginator = client.get_paginator("describe_listener_certificates").paginate(
        ListenerArn=listener["ListenerArn"], PaginationConfig={"PageSize": PAGE_SIZE}
    )
    defaults = set(_read_arns(listener.get("Certificates", []), holder))
    shown: set[str] = set()
    try:
        # No other call shows the SNI list.
        async for page in reader.pages(paginator):
            certificates = require_list(
                page, "Certificates", f"DescribeListenerCertificates of {holder}"
            )
            arns = _read_arns(certificates, holder)
            # Whether a default certificate is missing, the listener itself has told.
            reader.note(holder, *arns, needs_certificate=False)
            shown.update(arns)
    except client.exceptions.ListenerNotFoundException as error:
        raise VanishedError from error
    if not defaults <= shown:
        # The answer has the default certificate too, so this listener was changed in between.
        raise VanishedError


def _read_arns(certificates: Any, holder: str) -> list[str]:
    return [
        require_text(one, "CertificateArn", f"a certificate of listener {holder}")
        for one in certificates
    ]


def _name(balancer: str, listener: "ListenerTypeDef") -> str:
    return f"{balancer}:{listener.get('Port', '?')}"


SOURCE = Source(
    name="Load balancer listener",
    service="elbv2",
    read=read_load_balancers,
    is_paced=True,
    is_everywhere=True,
)
