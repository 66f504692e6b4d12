"""The main story under the policies of the templates, with the local AWS's IAM enforcing them.

Resources and conditions are held against what they should be by
`tests/template/test_permissions.py`.
"""

from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers import sweep
from local.aws import faults
from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.server import Aws
from local.fixtures.context import Context
from local.fixtures.stack import Statement, load_stack
from tests.builders import MEMBER_ACCOUNT, OTHER_ACCOUNT
from tests.functional.deployment import Deployment, Event, finding_of
from tests.functional.enforcement import (
    POLICY,
    allow,
    assume_role,
    create_role,
    denied_where_not_enforced,
    enforced,
)
from tests.functional.holders import fill_account
from tests.template.policies import list_of

FUNCTION_ROLE = "iam26-remediation"
MEMBER_ROLE = "iam26-remediation-member"
SWEEP_ROLE = "iam26-remediation-sweep"


def read_statements(role: str) -> list[Statement]:
    """Return the statements of a role in the templates."""
    if role != MEMBER_ROLE:
        logical = "RemediateRole" if role == FUNCTION_ROLE else "SweepRole"
        return load_stack(MemberRoleName=MEMBER_ROLE).statements(logical)
    stack = load_stack("deploy/member-role.yaml", AdministratorAccountId=OTHER_ACCOUNT)
    return stack.statements("MemberRole")


def list_actions(role: str) -> list[str]:
    allowed = [one for one in read_statements(role) if one["Effect"] == "Allow"]
    return sorted(action for one in allowed for action in list_of(one["Action"]))


def make_role(aws: Aws, account_id: str, name: str, without: str = "") -> str:
    """Create a role of the templates, less one action, and return its ARN."""
    return create_role(aws, account_id, name, read_statements(name), without)


def become(deployment: Deployment, role_arn: str) -> None:
    """Let the function run as a role, as Lambda does."""
    deployment.configure(**assume_role(deployment.aws, role_arn))


def begin(deployment: Deployment, whose: str) -> Event:
    """Return the event of a clean candidate in an account that has one of everything."""
    fill_account(deployment.aws, whose)
    certificate = deployment.upload("old-web", account_id=whose)
    return deployment.report(certificate["Arn"], account_id=whose)


def deploy(deployment: Deployment, *, function_lacks: str = "", member_lacks: str = "") -> None:
    """Create the roles of the templates, less an action, and run as the function's."""
    deployment.aws.knobs.enabled_regions = (HOME_REGION,)
    make_role(deployment.aws, MEMBER_ACCOUNT, MEMBER_ROLE, member_lacks)
    become(deployment, make_role(deployment.aws, OWN_ACCOUNT, FUNCTION_ROLE, function_lacks))
    deployment.configure(MEMBER_ROLE_NAME=MEMBER_ROLE)


def is_kept(deployment: Deployment, account_id: str) -> bool:
    iam = deployment.aws.client("iam", account_id=account_id)
    held = iam.list_server_certificates()["ServerCertificateMetadataList"]
    return "old-web" in {one["ServerCertificateName"] for one in held}


def outcome_of(deployment: Deployment, event: Event) -> str | None:
    fields: dict[str, str] = deployment.finding(event).get("UserDefinedFields", {})
    return fields.get("iam26Outcome")


# What Lambda does with the role, so that no call of the function needs it.
OF_LAMBDA = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
}
ABOUT_THE_ARCHIVE = {"s3:GetObject", "s3:ListBucket"}
ABOUT_THE_REPORT = {"securityhub:BatchUpdateFindings", "sns:Publish"}
ENTRY = "sts:AssumeRole"

PROOF_OR_ACT = [
    (FUNCTION_ROLE, action)
    for action in list_actions(FUNCTION_ROLE)
    if action not in OF_LAMBDA | ABOUT_THE_ARCHIVE | ABOUT_THE_REPORT | {ENTRY}
] + [(MEMBER_ROLE, action) for action in list_actions(MEMBER_ROLE)]


@pytest.mark.parametrize("account_id", [OWN_ACCOUNT, MEMBER_ACCOUNT], ids=["own", "member"])
def test_the_templates_suffice(deployment: Deployment, account_id: str) -> None:
    """With what the templates allow, and no more, a certificate is deleted and all is told."""
    event = begin(deployment, account_id)
    deploy(deployment)

    with enforced():
        assert deployment.handle_batch(event) == []

    assert outcome_of(deployment, event) == "deleted"
    assert not is_kept(deployment, account_id)
    assert [one.attributes["outcome"] for one in deployment.messages()] == ["deleted"]


def test_the_sweep_has_what_it_needs(deployment: Deployment) -> None:
    """With what the template allows the sweep's role, open findings come onto the queue."""
    sqs = deployment.aws.client("sqs")
    url = sqs.create_queue(QueueName="iam26")["QueueUrl"]
    event = deployment.report(deployment.upload("old-web")["Arn"])
    become(deployment, make_role(deployment.aws, OWN_ACCOUNT, SWEEP_ROLE))
    deployment.configure(QUEUE_URL=url)

    with enforced():
        assert sweep.handler({}, Context())["messages"] == 1

    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert finding_of(event)["Id"] in message["Body"]


@pytest.mark.parametrize(("role", "action"), PROOF_OR_ACT)
def test_without_an_action(deployment: Deployment, role: str, action: str) -> None:
    """Whatever the proof or the act lacks, the certificate is kept, and the note names the call."""
    account_id = OWN_ACCOUNT if role == FUNCTION_ROLE else MEMBER_ACCOUNT
    event = begin(deployment, account_id)
    lacks = {"function_lacks" if role == FUNCTION_ROLE else "member_lacks": action}
    deploy(deployment, **lacks)

    with enforced(), denied_where_not_enforced(action):
        assert deployment.handle_batch(event) == []

    assert is_kept(deployment, account_id)
    assert outcome_of(deployment, event) == "unverified"
    assert deployment.status(event) == "NOTIFIED"
    assert "deleting" not in {one["state"] for one in deployment.archive().values()}


def test_without_the_way_into_accounts(deployment: Deployment) -> None:
    """A function that may not assume the member role keeps what is there, and does its own."""
    events = [begin(deployment, OWN_ACCOUNT), begin(deployment, MEMBER_ACCOUNT)]
    deploy(deployment, function_lacks=ENTRY)

    with enforced():
        assert deployment.handle_batch(*events) == []

    assert [outcome_of(deployment, one) for one in events] == ["deleted", "unverified"]
    assert is_kept(deployment, MEMBER_ACCOUNT)


def test_without_writing_findings(deployment: Deployment) -> None:
    """What cannot be written is told, retried, and written once it may be."""
    event = begin(deployment, OWN_ACCOUNT)
    deploy(deployment, function_lacks="securityhub:BatchUpdateFindings")
    with enforced():
        assert deployment.handle_batch(event) == [0]
    assert deployment.status(event) == "NEW"
    assert [one.attributes["outcome"] for one in deployment.messages()] == ["deleted"]
    allow_again(deployment)

    with enforced():
        assert deployment.handle_batch(event, receive_count=2) == []

    assert outcome_of(deployment, event) == "deleted"


def test_without_publishing(deployment: Deployment) -> None:
    """A message that may not be published changes nothing else."""
    event = begin(deployment, OWN_ACCOUNT)
    deploy(deployment, function_lacks="sns:Publish")

    with enforced():
        assert deployment.handle_batch(event) == []

    assert outcome_of(deployment, event) == "deleted"
    assert deployment.messages() == []


@pytest.mark.parametrize("action", sorted(ABOUT_THE_ARCHIVE))
def test_without_reading_the_archive(deployment: Deployment, action: str) -> None:
    """Where the archive may not be asked, nobody says who deleted a certificate."""
    event = begin(deployment, OWN_ACCOUNT)
    deploy(deployment, function_lacks="securityhub:BatchUpdateFindings")
    with enforced():
        assert deployment.handle_batch(event) == [0]
    allow_again(deployment, lacks=action)

    with enforced():
        assert deployment.handle_batch(event, receive_count=2) == []

    assert outcome_of(deployment, event) == "unverified"
    assert {one["state"] for one in deployment.archive().values()} == {"deleted"}


def allow_again(deployment: Deployment, lacks: str = "") -> None:
    """Grant the function's role what it lacks, less an action."""
    allow(deployment.aws, OWN_ACCOUNT, FUNCTION_ROLE, read_statements(FUNCTION_ROLE), lacks)


def test_nothing_is_allowed_without_a_policy(deployment: Deployment) -> None:
    """That this file's denials come from the policies: without any, not even a finding is read."""
    event = begin(deployment, OWN_ACCOUNT)
    deploy(deployment)
    deployment.aws.client("iam").delete_role_policy(RoleName=FUNCTION_ROLE, PolicyName=POLICY)

    with enforced(), faults.record_calls() as calls:
        assert deployment.handle_batch(event) == [0]

    assert {call.operation for call in calls} == {"GetFindings", "Publish", "BatchUpdateFindings"}
    assert is_kept(deployment, OWN_ACCOUNT)


@pytest.mark.parametrize(
    ("service", "operation"),
    [("cloudfront", "list_distributions"), ("appsync", "list_domain_names")],
)
def test_moto_cannot_enforce(deployment: Deployment, service: str, operation: str) -> None:
    """What is not enforced here could not be: moto refuses it even to those who may do all.

    Once this fails, moto has learned it, and the service can leave `NOT_ENFORCED`.
    """
    role_arn = make_role(deployment.aws, OWN_ACCOUNT, FUNCTION_ROLE)
    become(deployment, role_arn)
    everything: Statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    allow(deployment.aws, OWN_ACCOUNT, FUNCTION_ROLE, [everything])
    session: Any = boto3.Session()
    client = session.client(service)

    with (
        enforced(),
        patch("tests.functional.enforcement.NOT_ENFORCED", frozenset()),
        pytest.raises(ClientError),
    ):
        getattr(client, operation)()
