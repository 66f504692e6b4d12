"""The guard that keeps everything here on this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

DOCKER_BRIDGE = "172.17.0.1"
_LOCAL_NAMES = frozenset({"localhost", "host.docker.internal", DOCKER_BRIDGE})


class ForeignEndpointError(RuntimeError):
    """A request, or a variable that directs requests, points away from this machine."""


def is_this_machine(host: str | None) -> bool:
    """Return whether a host name or address can only mean this machine."""
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def refuse_foreign_endpoints(environment: Mapping[str, str]) -> None:
    """Raise ForeignEndpointError for the first AWS_ENDPOINT_URL* that leaves this machine."""
    for name, value in sorted(environment.items()):
        directs_requests = name == "AWS_ENDPOINT_URL" or name.startswith("AWS_ENDPOINT_URL_")
        if directs_requests and value and not is_this_machine(urlsplit(value).hostname):
            raise ForeignEndpointError(f"{name}={value} is not on this machine")
