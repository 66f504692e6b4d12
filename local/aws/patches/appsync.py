"""AppSync: custom domain names.

moto implements no operation on them. So they can be created, listed in pages and deleted here, with
their certificates.
"""

from __future__ import annotations

from typing import Any

from moto.appsync.models import appsync_backends
from moto.appsync.responses import AppSyncResponse
from moto.appsync.urls import url_paths

from local.aws.patches.patch import ApiError, Patch, Request, state_of, take_page

PATCH = Patch("appsync")
PATCH.add_path(url_paths, "{0}/v1/domainnames$", AppSyncResponse.dispatch)
PATCH.add_path(url_paths, "{0}/v1/domainnames/(?P<domain>[^/]+)$", AppSyncResponse.dispatch)


class DomainNames(dict[str, dict[str, Any]]):
    """The domain names of one account and Region."""


def _domain_names(request: Request) -> DomainNames:
    return state_of(appsync_backends[request.account][request.region], DomainNames)


@PATCH.add_operation(AppSyncResponse, "CreateDomainName")
def create_domain_name(request: Request) -> dict[str, Any]:
    """Answer CreateDomainName."""
    name = request.params["domainName"]
    if name in _domain_names(request):
        raise ApiError("BadRequestException", f"Domain name {name} already exists.")
    config = {
        "domainName": name,
        "description": request.params.get("description"),
        "certificateArn": request.params["certificateArn"],
        "appsyncDomainName": f"d-local.appsync-api.{request.region}.amazonaws.com",
        "hostedZoneId": "Z2FDTNDATAQYW2",
    }
    _domain_names(request)[name] = config
    return {"domainNameConfig": config}


@PATCH.add_operation(AppSyncResponse, "ListDomainNames")
def list_domain_names(request: Request) -> dict[str, Any]:
    """Answer ListDomainNames."""
    params = request.params
    page, token = take_page(
        list(_domain_names(request).values()), params.get("nextToken"), params.get("maxResults"), 25
    )
    return {"domainNameConfigs": page, "nextToken": token}


@PATCH.add_operation(AppSyncResponse, "DeleteDomainName")
def delete_domain_name(request: Request) -> None:
    """Answer DeleteDomainName."""
    if _domain_names(request).pop(request.params["domainName"], None) is None:
        raise ApiError("NotFoundException", "Domain name not found.")
