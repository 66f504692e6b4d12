"""The connection lets nothing out that is not read-only."""

from pathlib import Path

import botocore.session
import pytest

from cli.connection import WriteRefusedError, connect
from cli.errors import CommandError
from cli.permissions import PLAN_CALLS, STATUS_CALLS, ReadOnly
from handlers.aws.clients import Clients

WRITES = [
    ("iam", "delete_server_certificate", {"ServerCertificateName": "web"}),
    ("iam", "update_server_certificate", {"ServerCertificateName": "web"}),
    ("elb", "delete_load_balancer", {"LoadBalancerName": "web"}),
    ("s3", "list_buckets", {}),
    ("securityhub", "batch_update_findings", {"FindingIdentifiers": []}),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave nothing of this machine's own configuration."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")


def open_clients(allowed: ReadOnly = PLAN_CALLS) -> Clients:
    return connect(None, "us-east-1", allowed, "test")


@pytest.mark.parametrize(("service", "operation", "params"), WRITES)
def test_refuses(service: str, operation: str, params: dict[str, object]) -> None:
    """What is not among the calls of the command is refused before a request is made."""
    with pytest.raises(WriteRefusedError, match="this command does not call"):
        getattr(open_clients().get(service), operation)(**params)


def test_refuses_reads_of_another_command() -> None:
    """The status may not even list certificates."""
    with pytest.raises(WriteRefusedError, match="iam:ListServerCertificates"):
        open_clients(STATUS_CALLS).get("iam").list_server_certificates()


@pytest.mark.parametrize("allowed", [PLAN_CALLS, STATUS_CALLS])
def test_allows_reads_alone(allowed: ReadOnly) -> None:
    """Whatever is allowed begins with a verb that reads."""
    for operations in allowed.calls.values():
        for operation in operations:
            assert operation.startswith(("Describe", "Get", "List"))


def test_region_of_the_profile(tmp_path: Path) -> None:
    """The Region comes from the profile, unless one is given."""
    (tmp_path / "config").write_text("[profile prod]\nregion = eu-west-1\n")
    assert connect("prod", None, PLAN_CALLS, "test").region == "eu-west-1"
    assert connect("prod", "eu-north-1", PLAN_CALLS, "test").region == "eu-north-1"


@pytest.mark.parametrize(
    ("profile", "told"), [("nobody", "nobody"), (None, "no Region is set: pass --region")]
)
def test_unusable(profile: str | None, told: str) -> None:
    """An unknown profile and a missing Region are one clear error each."""
    with pytest.raises(CommandError, match=told):
        connect(profile, None, PLAN_CALLS, "test")


def test_odd_configuration(tmp_path: Path) -> None:
    """A configuration file that cannot be read is an error of its own."""
    (tmp_path / "config").write_text("[profile\nregion")
    with pytest.raises(CommandError, match="the AWS configuration cannot be used"):
        connect(None, None, PLAN_CALLS, "test")


def test_every_allowed_call_exists() -> None:
    """Each call that is allowed is an operation of the service in botocore's own models."""
    session = botocore.session.get_session()
    names = {"elasticloadbalancing": ("elb", "elbv2")}
    for service, operations in PLAN_CALLS.calls.items():
        known = {
            operation
            for name in names.get(service, (service,))
            for operation in session.get_service_model(name).operation_names
        }
        assert operations <= known
