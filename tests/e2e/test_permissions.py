"""The functions run as the roles of the template: each permission that is missing shows."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.artifact.template import read_template
from local.fixtures import seed
from tests.e2e.deployment import Deployment, prove

# What the emulator asks for only in cases that are not played here, or never.
NOT_ASKED_FOR = {
    "logs:CreateLogStream": "ministack writes the log itself",
    "logs:PutLogEvents": "ministack writes the log itself",
    "s3:GetObject": "read when a certificate is gone already",
    "s3:ListBucket": "needed for the right error when a record is missing",
    "sns:Publish": "the topic's own policy grants it as well",
    "sqs:DeleteMessage": "ministack's mapping takes messages in its own name",
    "sqs:GetQueueAttributes": "ministack's mapping takes messages in its own name",
    "sqs:ReceiveMessage": "ministack's mapping takes messages in its own name",
}


def list_statements(role: str) -> list[dict[str, Any]]:
    """Return the statements of a role in the template, without those under a condition."""
    policies = read_template()["Resources"][role]["Properties"]["Policies"]
    statements = policies[0]["PolicyDocument"]["Statement"]
    return [one for one in statements if "Fn::If" not in one]


def list_actions(role: str) -> list[str]:
    """Return every action that a role in the template is granted."""
    given = [one["Action"] for one in list_statements(role)]
    return sorted({a for some in given for a in ([some] if isinstance(some, str) else some)})


ACTIONS = [one for one in list_actions("RemediateRole") if one not in NOT_ASKED_FOR]


@contextmanager
def without(deployment: Deployment, role: str, policy: str, action: str) -> Iterator[None]:
    """Take one action from a deployed role while a block runs."""
    iam = deployment.chain.client("iam")
    name = deployment.chain.find_resource(role)
    granted = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    reduced = copy.deepcopy(granted)
    for statement in reduced["Statement"]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        statement["Action"] = [one for one in actions if one != action] or ["none:Nothing"]
    assert reduced != granted
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(reduced))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(granted))


@pytest.fixture(scope="module")
def populated(deployment: Deployment) -> Deployment:
    """An account in which every source has something to read, and so every call is made."""
    client = deployment.chain.aws.client
    valid = seed.upload_certificate(client, "valid", expires=datetime.now(UTC) + timedelta(days=90))
    seed.create_load_balancer(client, "shop", valid["Arn"])
    seed.create_environment(client, "billing", "production", valid["Arn"])
    prove(deployment, "with-every-permission")
    return deployment


@pytest.mark.parametrize("action", ACTIONS)
def test_missing_action_shows(populated: Deployment, action: str) -> None:
    """Without any one action of its role the function does not come to its full end."""
    name = "without-" + action.replace(":", "-")
    certificate = populated.upload(name)
    invocations = populated.count_invocations()

    with without(populated, "RemediateRole", "remediate", action):
        finding = populated.report(certificate["Arn"])
        populated.wait_for_work(invocations)

    ended = (
        populated.read(finding)["Workflow"]["Status"] == "RESOLVED"
        and name not in populated.certificates()
        and populated.archived(name) != []
        and any(name in text for _, text in populated.notices())
    )
    assert not ended
    if action != "securityhub:BatchUpdateFindings":
        assert name in populated.certificates()


def test_sweep_that_may_not_read_shows(deployment: Deployment) -> None:
    """Without the permission to read findings, the sweep fails and says so."""
    with without(deployment, "SweepRole", "sweep", "securityhub:GetFindings"):
        answer = deployment.chain.client("lambda").invoke(
            FunctionName=deployment.chain.find_resource("SweepFunction"), Payload=b"{}"
        )

    assert answer["FunctionError"]
    assert "AccessDenied" in answer["Payload"].read().decode()
