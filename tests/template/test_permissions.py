"""Roles: what they allow is what the code calls, on as little as IAM knows."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.template.operations import (
    NothingRecordedError,
    list_needed_actions,
    load_operations,
)
from tests.template.stack import Stack, Statement, list_actions, list_of, load_stack

ADMINISTRATOR = "999988887777"
MEMBER_TEMPLATE = "deploy/member-role.yaml"

# What Lambda itself does with a function's role, so that no call of the code shows it.
PLATFORM = {
    "RemediateRole": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    },
    "SweepRole": {"logs:CreateLogStream", "logs:PutLogEvents"},
}

# Everything that is allowed on `*`, with why IAM or the proof allows nothing narrower.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
ON_EVERYTHING = {
    "iam:ListServerCertificates": "a list of the account knows no resource",
    "ec2:DescribeRegions": "knows no resource",
    "elasticloadbalancing:DescribeLoadBalancers": "describes know no resource",
    "elasticloadbalancing:DescribeListeners": "describes know no resource",
    "elasticloadbalancing:DescribeListenerCertificates": "describes know no resource",
    "cloudfront:ListDistributions": "knows no resource",
    "appsync:ListDomainNames": "knows no resource",
    "elasticbeanstalk:DescribeApplications": "what is not granted is left out without an error",
    "elasticbeanstalk:DescribeEnvironments": "what is not granted is left out without an error",
    "elasticbeanstalk:DescribeConfigurationSettings": "what is not granted is left out likewise",
    "securityhub:GetFindings": "findings are no resources, and members' belong to their hubs",
    "securityhub:BatchUpdateFindings": "findings are no resources",
}

ROLES = ["RemediateRole", "SweepRole", "MemberRole"]


def stack_of(role: str) -> Stack:
    """The stack that makes a role, with everything that it can allow."""
    if role == "MemberRole":
        return load_stack(MEMBER_TEMPLATE, AdministratorAccountId=ADMINISTRATOR)
    return load_stack(MemberRoleName="iam26-remediation-member")


def statements_of(role: str) -> list[Statement]:
    return stack_of(role).statements(role)


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_a_wildcard(role: str) -> None:
    """Each action is written out, and nothing is allowed by leaving something else out."""
    for statement in statements_of(role):
        assert not [action for action in list_of(statement["Action"]) if "*" in action]
        assert not {"NotAction", "NotResource"} & statement.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_no_policies_but_its_own(role: str) -> None:
    """No managed policy adds what is not written here."""
    assert "ManagedPolicyArns" not in stack_of(role).properties(role)


def test_on_everything_is_only_what_knows_no_resource() -> None:
    """The list of what is allowed on `*` is exactly the one with reasons."""
    allowed = {
        action
        for role in ROLES
        for statement in statements_of(role)
        if "*" in list_of(statement["Resource"])
        for action in list_of(statement["Action"])
    }

    assert allowed == ON_EVERYTHING.keys()


RESOURCES = {
    "iam:GetServerCertificate": "arn:aws:iam::111122223333:server-certificate/*",
    "iam:ListServerCertificateTags": "arn:aws:iam::111122223333:server-certificate/*",
    "iam:DeleteServerCertificate": "arn:aws:iam::111122223333:server-certificate/*",
    "s3:PutObject": "<ArchiveBucket.Arn>/certificates/*",
    "s3:GetObject": "<ArchiveBucket.Arn>/certificates/*",
    "s3:ListBucket": "<ArchiveBucket.Arn>",
    "sns:Publish": "<Topic>",
    "sqs:ReceiveMessage": "<Queue.Arn>",
    "sqs:DeleteMessage": "<Queue.Arn>",
    "sqs:GetQueueAttributes": "<Queue.Arn>",
    "sts:AssumeRole": "arn:aws:iam::*:role/iam26-remediation-member",
    "logs:CreateLogStream": "<RemediateLogGroup.Arn>",
    "logs:PutLogEvents": "<RemediateLogGroup.Arn>",
}


def test_everything_else_is_on_what_it_is_for() -> None:
    """What knows resources is allowed on ours alone."""
    allowed = {
        action: statement["Resource"]
        for statement in statements_of("RemediateRole")
        if statement["Resource"] != "*"
        for action in list_of(statement["Action"])
    }

    assert allowed == RESOURCES


def test_the_sweep_writes_to_two_queues_alone() -> None:
    """The sweep sends to the remediation queue, and Lambda to the queue of failed sweeps."""
    resources = {
        statement["Resource"]
        for statement in statements_of("SweepRole")
        if "sqs:SendMessage" in list_of(statement["Action"])
    }

    assert resources == {"<Queue.Arn>", "<SweepDeadLetterQueue.Arn>"}


def test_the_archive_can_be_listed_only_where_certificates_are() -> None:
    """Listing the bucket is allowed below the prefix of certificates."""
    [listing] = [
        one for one in statements_of("RemediateRole") if "s3:ListBucket" in list_of(one["Action"])
    ]

    assert listing["Condition"] == {"StringLike": {"s3:prefix": "certificates/*"}}


def test_no_role_is_assumed_unless_one_is_named() -> None:
    """Without MemberRoleName the function cannot become anyone else."""
    alone = list_actions(load_stack().statements("RemediateRole"))

    assert list_actions(statements_of("RemediateRole")) - alone == {"sts:AssumeRole"}


def test_members_trust_the_function_by_its_name() -> None:
    """A member role trusts the administrator's account, for the function's role alone."""
    stack = stack_of("MemberRole")
    [trust] = stack.properties("MemberRole")["AssumeRolePolicyDocument"]["Statement"]
    name = load_stack().properties("RemediateRole")["RoleName"]

    assert trust["Principal"] == {"AWS": f"arn:aws:iam::{ADMINISTRATOR}:root"}
    assert trust["Action"] == "sts:AssumeRole"
    assert trust["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ADMINISTRATOR}:role/{name}"}
    }


def test_the_names_of_roles_fit_together() -> None:
    """The member role's default name is one that the main template can be told."""
    default = load_stack(MEMBER_TEMPLATE).parameters["RoleName"]["Default"]
    stack = stack_of("MemberRole")

    assert stack.properties("MemberRole")["RoleName"] == default
    assert (
        default
        == load_stack(MemberRoleName=default).properties("SweepFunction")["Environment"][
            "Variables"
        ]["MEMBER_ROLE_NAME"]
    )


def test_the_administrator_gets_no_member_role() -> None:
    """A StackSet over the whole organisation makes nothing in the administrator's account."""
    assert not load_stack(MEMBER_TEMPLATE, AdministratorAccountId="111122223333").resources


@pytest.mark.parametrize("role", ["RemediateRole", "SweepRole"])
def test_only_lambda_runs_as_the_functions(role: str) -> None:
    """Nobody but Lambda may assume a function's role."""
    [trust] = stack_of(role).properties(role)["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_each_function_runs_as_its_role() -> None:
    """The roles that are tested here are those that the functions have."""
    functions = load_stack().of_type("AWS::Serverless::Function")

    assert {name: one["Properties"]["Role"] for name, one in functions.items()} == {
        "RemediateFunction": "<RemediateRole.Arn>",
        "SweepFunction": "<SweepRole.Arn>",
    }


CALLERS = [
    ("RemediateRole", "remediate", "own"),
    ("SweepRole", "sweep", "own"),
    ("MemberRole", "remediate", "member"),
]


@pytest.mark.parametrize(("role", "function", "whose"), CALLERS)
def test_a_role_allows_what_the_code_calls(role: str, function: str, whose: str) -> None:
    """Each action that the functional tests needed is allowed, and no other."""
    try:
        operations = load_operations()[function][whose]
    except NothingRecordedError as error:
        pytest.fail(str(error))
    needed = list_needed_actions(operations)
    allowed = list_actions(statements_of(role))
    missing = needed - allowed
    unused = allowed - needed - PLATFORM.get(role, set())

    assert not missing, f"{role} lacks what the code calls"
    assert not unused, f"{role} allows what no functional test called"


def test_operations_become_actions() -> None:
    """An operation is mapped to the action that AWS checks, by service and by name."""
    operations = [
        "elb.DescribeLoadBalancers",
        "elbv2.DescribeListeners",
        "s3.ListObjectsV2",
        "s3.PutObject",
        "sts.AssumeRole",
        "sts.GetCallerIdentity",
        "securityhub.GetFindings",
    ]

    assert list_needed_actions(operations) == {
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
        "s3:ListBucket",
        "s3:PutObject",
        "sts:AssumeRole",
        "securityhub:GetFindings",
    }


def test_records_of_several_runs_add_up(tmp_path: Path) -> None:
    """What parallel workers recorded is one record."""
    records: list[dict[str, Any]] = [
        {"remediate": {"own": ["iam.ListServerCertificates"], "member": []}},
        {"remediate": {"own": ["s3.PutObject"]}, "sweep": {"own": ["sqs.SendMessage"]}},
    ]
    for number, record in enumerate(records):
        (tmp_path / f"gw{number}.json").write_text(json.dumps(record))

    called = load_operations(tmp_path)

    assert called["remediate"]["own"] == {"iam.ListServerCertificates", "s3.PutObject"}
    assert called["sweep"]["own"] == {"sqs.SendMessage"}


def test_without_a_record_it_says_what_to_run(tmp_path: Path) -> None:
    """Whoever runs the template tests first is told what they need."""
    with pytest.raises(NothingRecordedError, match="make functional"):
        load_operations(tmp_path)
