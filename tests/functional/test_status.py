"""`iam26 status` on the local AWS: from Security Hub alone."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from cli.main import main
from cli.permissions import compose_status_policy
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.stack import PROJECT
from tests.builders import MEMBER_ACCOUNT
from tests.functional.deployment import Deployment
from tests.functional.enforcement import assume_role, create_role, enforced

SCHEMA = PROJECT / "docs" / "status.schema.json"
RunStatus = Callable[..., tuple[int, str]]


@pytest.fixture
def status(
    aws: Aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> RunStatus:
    """Run the command against the local AWS, and return its exit status and what it wrote."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        ended = main(["status", *arguments])
        return ended, capsys.readouterr().out

    return run


@pytest.fixture
def worked(deployment: Deployment) -> Deployment:
    """Findings of two accounts, after the handler worked on those of one."""
    for name in ("old-unused", "old-used"):
        deployment.upload(name)
    used = f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/old-used"
    seed.create_classic_load_balancer(deployment.aws.client, "web", used)
    for name in ("old-unused", "old-used"):
        arn = f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/{name}"
        deployment.handle(deployment.report(arn))
    theirs = f"arn:aws:iam::{MEMBER_ACCOUNT}:server-certificate"
    deployment.report(f"{theirs}/waiting", account_id=MEMBER_ACCOUNT)
    accepted = deployment.report(f"{theirs}/accepted", account_id=MEMBER_ACCOUNT)
    deployment.edit_finding(accepted, Workflow={"Status": "SUPPRESSED"})
    taken = deployment.report(f"{theirs}/taken", account_id=MEMBER_ACCOUNT)
    deployment.edit_finding(taken, Workflow={"Status": "NOTIFIED"})
    return deployment


def test_by_outcome_and_account(worked: Deployment, status: RunStatus) -> None:
    """Each certificate stands once, with its outcome or with why it has none."""
    ended, written = status("--output", "json")
    answer = json.loads(written)
    jsonschema.validate(answer, json.loads(SCHEMA.read_text()))

    assert ended == 0
    assert answer["accounts"] == {
        OWN_ACCOUNT: {"in-use": 1, "deleted": 1},
        MEMBER_ACCOUNT: {"pending": 1, "suppressed": 1, "taken": 1},
    }
    first = answer["certificates"][0]
    assert first["outcome"] == "in-use"
    assert first["certificateId"].startswith("ASCA")
    assert "Classic Load Balancer web:443" in first["note"]


def test_in_a_terminal(worked: Deployment, status: RunStatus) -> None:
    """The table begins with the counts, and says what each finding says."""
    _, written = status()
    assert written.startswith("1 in use, 1 not examined yet, 1 suppressed")
    assert "Classic Load Balancer web:443" in " ".join(written.split())


@pytest.mark.parametrize("output", ["csv", "html"])
def test_in_a_file(worked: Deployment, status: RunStatus, tmp_path: Path, output: str) -> None:
    """The answer can be filed as CSV and as a page."""
    file = tmp_path / "status"
    assert status("--output", output, "--file", str(file)) == (0, "")
    assert "old-used" in file.read_text()


def test_no_findings(status: RunStatus) -> None:
    """Without findings there is nothing to tell."""
    assert status()[1].startswith("No failed findings of IAM.26.")


def test_enters_no_account(worked: Deployment, status: RunStatus) -> None:
    """It asks Security Hub and nobody else."""
    with faults.record_calls() as calls:
        status()
    assert {one.operation for one in calls} == {"GetFindings"}


def test_policy_suffices(
    worked: Deployment, status: RunStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed policy is enough, and there is nothing in it to leave out."""
    ended, printed = status("--print-policy")
    assert json.loads(printed) == compose_status_policy()
    [statement] = compose_status_policy()["Statement"]
    assert statement["Action"] == ["securityhub:GetFindings"]
    role = create_role(worked.aws, OWN_ACCOUNT, "auditor", [statement])
    for name, value in assume_role(worked.aws, role).items():
        monkeypatch.setenv(name, value)
    with enforced():
        ended, _ = status()
    assert ended == 0


def test_denied(status: RunStatus, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the permission it is one line."""
    with faults.inject(service="securityhub", fault=faults.AccessDenied()):
        assert main(["status"]) == 1
    assert capsys.readouterr().err.startswith("iam26: GetFindings was denied")


def test_schema_is_published(status: RunStatus) -> None:
    """The published schema is the one that is printed."""
    assert json.loads(status("--print-schema")[1]) == json.loads(SCHEMA.read_text())
