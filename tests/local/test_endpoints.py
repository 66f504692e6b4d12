"""The guard: no request, and no variable that directs requests, leaves this machine."""

import os
from typing import Any

import boto3
import pytest

from local.aws.endpoints import (
    DOCKER_BRIDGE,
    ForeignEndpointError,
    is_this_machine,
    refuse_foreign_endpoints,
)
from local.aws.server import Aws, LocalAws, LocalAwsError, in_process
from local.fixtures.invocation import run_invocation

LOCAL_HOSTS = ["127.0.0.1", "127.255.1.2", "::1", "localhost", "host.docker.internal", "172.17.0.1"]
FOREIGN_HOSTS = [
    None,
    "",
    "0.0.0.0",  # noqa: S104 - a host that is refused
    "10.0.0.1",
    "172.17.0.2",
    "169.254.169.254",
    "::",
    "iam.amazonaws.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "2130706433",
]
FOREIGN_URLS = [
    "https://iam.amazonaws.com",
    "http://10.0.0.1:5000",
    "http://127.0.0.1@example.com",
    "http://127.0.0.1.example.com:5000",
    "example.com:5000",
    "example.com",
    "//example.com",
]


@pytest.mark.parametrize("host", LOCAL_HOSTS)
def test_a_loopback_or_docker_address_is_this_machine(host: str) -> None:
    """Loopback addresses, their names, and Docker's way to the host stay here."""
    assert is_this_machine(host)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_anything_else_is_not_this_machine(host: str | None) -> None:
    """What might be another machine, or every interface, is not taken for this one."""
    assert not is_this_machine(host)


class TestVariables:
    """AWS_ENDPOINT_URL, for all services or one."""

    @pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECURITYHUB"])
    @pytest.mark.parametrize("url", FOREIGN_URLS)
    def test_a_variable_that_leads_away_is_refused(self, name: str, url: str) -> None:
        """The error names the variable and its value."""
        environment = {"AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:5000", name: url}
        with pytest.raises(ForeignEndpointError, match=f"{name}={url} is not on this machine"):
            refuse_foreign_endpoints(environment)

    @pytest.mark.parametrize(
        "environment",
        [
            {},
            {"AWS_ENDPOINT_URL": ""},
            {"AWS_ENDPOINT_URL": "http://localhost:5000"},
            {"AWS_ENDPOINT_URL_S3": "http://[::1]:5000"},
            {"AWS_ENDPOINT_URL_STS": f"http://{DOCKER_BRIDGE}:5000"},
            {"HTTP_PROXY": "http://example.com", "AWS_ENDPOINT_URLS": "http://example.com"},
        ],
    )
    def test_a_variable_that_stays_here_is_fine(self, environment: dict[str, str]) -> None:
        """Local endpoints pass, and so does what is no endpoint of AWS."""
        refuse_foreign_endpoints(environment)

    def test_the_server_does_not_start_beside_such_a_variable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever directed requests elsewhere learns it before anything listens."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", "https://iam.amazonaws.com")
        with pytest.raises(ForeignEndpointError), LocalAws():
            pass

    @pytest.mark.parametrize(
        ("environment", "error"),
        [
            ({"AWS_ENDPOINT_URL": "https://iam.amazonaws.com"}, ForeignEndpointError),
            ({}, LocalAwsError),
        ],
        ids=["foreign", "none"],
    )
    def test_an_invocation_of_its_own_does_not_run_beside_such_a_variable(
        self, environment: dict[str, str], error: type[Exception]
    ) -> None:
        """A process that may be killed never acts on a real account."""
        with pytest.raises(error):
            run_invocation({}, environment)


class TestRequests:
    """What is sent while the local AWS is on."""

    @pytest.mark.parametrize(
        "url", ["https://example.com", "http://10.0.0.1:5000", "http://169.254.169.254"]
    )
    def test_a_request_that_would_leave_is_refused(self, aws: Aws, url: str) -> None:
        """A client that was given a foreign endpoint cannot reach it."""
        client = boto3.client("iam", endpoint_url=url)
        with pytest.raises(ForeignEndpointError, match="refused to send"):
            client.list_server_certificates()

    def test_a_request_to_real_aws_is_answered_here(self, aws: Aws) -> None:
        """AWS's own host names mean the local AWS while it runs in this process."""
        client = boto3.client("iam", endpoint_url="https://iam.amazonaws.com")
        assert client.list_server_certificates()["ServerCertificateMetadataList"] == []

    def test_the_callers_own_credentials_are_put_aside(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Keys, profiles and endpoints of the caller are not seen inside, and are back after."""
        own = {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_PROFILE": "production",
            "AWS_SESSION_TOKEN": "token",
            "AWS_ENDPOINT_URL": "http://localhost:1",
        }
        for name, value in own.items():
            monkeypatch.setenv(name, value)
        with in_process() as aws:
            inside = {name: os.environ.get(name) for name in own}
            assert inside == {name: aws.environment.get(name) for name in own}
            assert inside["AWS_PROFILE"] is inside["AWS_ENDPOINT_URL"] is None
        assert {name: os.environ[name] for name in own} == own

    def test_one_local_aws_runs_at_a_time(self, aws: Aws) -> None:
        """A second one in the same process would share the first one's world."""
        with pytest.raises(LocalAwsError, match="one local AWS"), in_process():
            pass


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104 - a host that is refused
        "::",
        "10.0.0.1",
        "example.com",
        "",
    ],
)
def test_the_server_listens_nowhere_else(host: Any) -> None:
    """An address that others can reach is refused before anything listens."""
    with pytest.raises(ForeignEndpointError, match=r"listens on 127\.0\.0\.1"):
        LocalAws(host=host)
