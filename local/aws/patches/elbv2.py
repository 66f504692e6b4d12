"""Elastic Load Balancing v2: SNI certificates, pages, and ARNs by the type of load balancer.

moto shows SNI certificates in DescribeListeners, forgets them in ModifyListener, has no pages of
listeners and of their certificates, and writes `app` into each load balancer's ARN. So only
DescribeListenerCertificates shows SNI certificates here, they stay, lists have pages, and an ARN
says `app`, `net` or `gwy`.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeListener, FakeLoadBalancer, elbv2_backends
from moto.elbv2.responses import ELBV2Response

from local.aws.patches.patch import ApiError, Patch, Request, take_page

PATCH = Patch("elbv2")


def _default_only(certificates: list[str]) -> list[dict[str, str]] | None:
    return [{"CertificateArn": certificate} for certificate in certificates[:1]] or None


for _operation in ("DescribeListeners", "ModifyListener"):
    PATCH.replace(
        ELBV2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER,
        f"{_operation}Output.Listeners.Listener.Certificates",
    )(_default_only)


def _backend(request: Request) -> ELBv2Backend:
    return elbv2_backends[request.account][request.region]


def _find(request: Request) -> FakeListener:
    return _backend(request).describe_listeners(None, [request.params["ListenerArn"]])[0]


@PATCH.replace(ELBv2Backend, "create_load_balancer")
def create_load_balancer(self: ELBv2Backend, *args: Any, **kwargs: Any) -> FakeLoadBalancer:
    """Create a load balancer whose ARN says of which type it is."""
    original = PATCH.original(ELBv2Backend, "create_load_balancer")
    balancer: FakeLoadBalancer = original(self, *args, **kwargs)
    kind = {"network": "net", "gateway": "gwy"}.get(balancer.type or "", "app")
    del self.load_balancers[balancer.arn]
    balancer.arn = balancer.arn.replace(":loadbalancer/app/", f":loadbalancer/{kind}/")
    self.load_balancers[balancer.arn] = balancer
    return balancer


@PATCH.replace_operation(ELBV2Response, "DescribeListeners")
def describe_listeners(request: Request) -> dict[str, Any]:
    """Answer DescribeListeners."""
    balancer = request.params.get("LoadBalancerArn")
    arns = request.params.get("ListenerArns", [])
    if not balancer and not arns:
        raise ApiError(
            "ValidationError", "You must specify either listener ARNs or a load balancer ARN"
        )
    listeners = _backend(request).describe_listeners(balancer, arns)
    page, marker = _take_page(request, listeners)
    return {"Listeners": page, "NextMarker": marker}


@PATCH.replace_operation(ELBV2Response, "DescribeListenerCertificates")
def describe_listener_certificates(request: Request) -> dict[str, Any]:
    """Answer DescribeListenerCertificates."""
    listener = _find(request)
    certificates = [
        {"CertificateArn": arn, "IsDefault": arn == listener.certificate}
        for arn in listener.certificates
    ]
    page, marker = _take_page(request, certificates)
    return {"Certificates": page, "NextMarker": marker}


@PATCH.replace(ELBv2Backend, "modify_listener")
def modify_listener(self: ELBv2Backend, arn: str, *args: Any, **kwargs: Any) -> FakeListener:
    """Change a listener, its default certificate too, and leave its SNI list alone."""
    sni = self.describe_listeners(None, [arn])[0].certificates[1:]
    original = PATCH.original(ELBv2Backend, "modify_listener")
    listener: FakeListener = original(self, arn, *args, **kwargs)
    listener.certificates = listener.certificates[:1] + [
        certificate for certificate in sni if certificate != listener.certificate
    ]
    return listener


def _take_page(request: Request, items: list[Any]) -> tuple[list[Any], str | None]:
    return take_page(items, request.params.get("Marker"), request.params.get("PageSize"), 400)
