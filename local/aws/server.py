"""The local AWS itself: in this process for tests, or as a server for everything else."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import boto3
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from local.aws import faults
from local.aws.endpoints import ForeignEndpointError, refuse_foreign_endpoints
from local.aws.environment import HOSTS, make_environment
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT, Knobs, knobs
from local.aws.patches import apply_patches, securityhub
from local.aws.patches.accounts import make_access_key
from local.aws.running import Running
from local.aws.wire import http_session, wire

# moto loads 1300 machine images per Region, and would pull Docker images, unless told not to.
_MOTO_ENVIRONMENT = {
    "DOCKER_HOST": "unix:///nonexistent",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}


class LocalAwsError(RuntimeError):
    """The local AWS could not start."""


class ClientFactory(Protocol):
    """Whoever makes boto3 clients for an account and Region."""

    def __call__(
        self, service: str, *, region: str = HOME_REGION, account_id: str = OWN_ACCOUNT
    ) -> Any:
        """Return a boto3 client."""


class Aws:
    """A running local AWS: clients to seed and inspect it with, its knobs, and its events."""

    endpoint_url: str | None = None

    @property
    def knobs(self) -> Knobs:
        """What can be turned; `reset` turns it back."""
        return knobs

    @property
    def environment(self) -> dict[str, str]:
        """The variables that direct boto3, the AWS CLI or a subprocess here."""
        return make_environment(self.endpoint_url)

    def client(
        self, service: str, *, region: str = HOME_REGION, account_id: str = OWN_ACCOUNT
    ) -> Any:
        """Return a boto3 client of any account, in any Region."""
        return _make_client(service, region, account_id, self.endpoint_url)

    def reset(self) -> None:
        """Forget every resource and turn every knob back."""
        _forget_resources()
        knobs.reset()
        faults.rate_limit.reset()

    def import_findings(
        self,
        findings: Iterable[Mapping[str, Any]],
        *,
        account_id: str = OWN_ACCOUNT,
        region: str = HOME_REGION,
    ) -> list[dict[str, Any]]:
        """Put Security Hub's own findings in, and return the Imported events this emitted."""
        return securityhub.import_findings(findings, account_id=account_id, region=region)

    def press_custom_action(
        self,
        action_arn: str,
        findings: Iterable[Mapping[str, Any]],
        *,
        account_id: str = OWN_ACCOUNT,
        region: str = HOME_REGION,
    ) -> list[dict[str, Any]]:
        """Press a custom action's button, and return the events this emitted."""
        return securityhub.press_custom_action(
            action_arn, findings, account_id=account_id, region=region
        )


@contextmanager
def in_process() -> Iterator[Aws]:
    """Answer every boto3 request of this process here, without sockets, in a fresh world."""
    aws = Aws()
    with _world(aws), mock_aws(config={"core": {"mock_credentials": False}}):
        try:
            yield aws
        finally:
            _forget_resources()


class LocalAws(Running, Aws):
    """The local AWS as an HTTP server, for as long as the `with` block runs.

    Inside the block this process's own environment directs boto3 to it as well.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        if host not in HOSTS:
            raise ForeignEndpointError(f"the local AWS listens on {', '.join(HOSTS)}, not {host}")
        self._host = host
        self._port = port

    def _run(self) -> Iterator[None]:
        refuse_foreign_endpoints(os.environ)
        try:
            with _serve(self._host, self._port) as self.endpoint_url, _world(self):
                yield
        finally:
            self.endpoint_url = None


@contextmanager
def _serve(host: str, port: int) -> Iterator[str]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            # moto's thread would die of a taken port, and its start wait for ever.
            probe.bind((host, port))
        except OSError as error:
            raise LocalAwsError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(host, port, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()
        http_session().close()


@contextmanager
def _world(aws: Aws) -> Iterator[None]:
    if wire.active:
        raise LocalAwsError("one local AWS runs in a process at a time")
    apply_patches()
    before = dict(os.environ)
    for name in before:
        if name.startswith(("AWS_", "MOTO_")):
            del os.environ[name]
    os.environ.update(aws.environment | _MOTO_ENVIRONMENT)
    aws.reset()
    wire.active = True
    try:
        yield
    finally:
        wire.active = False
        aws.reset()
        os.environ.clear()
        os.environ.update(before)


def _forget_resources() -> None:
    instances: Any = BackendDict._instances  # type: ignore[misc]  # noqa: SLF001
    for service in list(instances):
        # moto fills a Region of EC2 anew when it resets it, only to drop it after.
        if service.service_name == "ec2":
            service.clear()
    BackendDict.reset()


@cache
def _make_client(service: str, region: str, account_id: str, endpoint_url: str | None) -> Any:
    session: Any = _session()  # any service, which its stubs cannot say
    return session.client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=make_access_key(account_id),
        aws_secret_access_key="local",  # noqa: S106 - opens nothing
    )


@cache
def _session() -> boto3.Session:
    return boto3.Session()
