"""Roles: they allow what the code calls, on the narrowest resources that IAM supports."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.fixtures.stack import Stack, Statement, load_stack
from tests.template.operations import (
    NothingRecordedError,
    list_needed_actions,
    load_operations,
)
from tests.template.policies import list_actions, list_of

ADMINISTRATOR = "999988887777"
MEMBER_TEMPLATE = "deploy/member-role.yaml"

# What Lambda itself does with a function's role, which no call of the code shows.
PLATFORM = {
    "RemediateRole": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    },
    "SweepRole": {"logs:CreateLogStream", "logs:PutLogEvents"},
    # PutMetricAlarm needs TagResource for the tags that it gives, and Lambda saves what failed.
    "ExpiryRole": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
        "cloudwatch:TagResource",
    },
}

# Everything that is allowed on `*`, with the reason why nothing narrower would do.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
ON_EVERYTHING = {
    "iam:ListServerCertificates": "has no resource-level permissions",
    "ec2:DescribeRegions": "has no resource-level permissions",
    "elasticloadbalancing:DescribeLoadBalancers": "has no resource-level permissions",
    "elasticloadbalancing:DescribeListeners": "has no resource-level permissions",
    "elasticloadbalancing:DescribeListenerCertificates": "has no resource-level permissions",
    "cloudfront:ListDistributions": "has no resource-level permissions",
    "appsync:ListDomainNames": "has no resource-level permissions",
    "elasticbeanstalk:DescribeApplications": "what is denied is left out without an error",
    "elasticbeanstalk:DescribeEnvironments": "what is denied is left out without an error",
    "elasticbeanstalk:DescribeConfigurationSettings": "what is denied is left out without an error",
    "securityhub:GetFindings": "findings are not IAM resources, and belong to the hubs of members",
    "securityhub:BatchUpdateFindings": "findings are not IAM resources",
}

ROLES = ["RemediateRole", "SweepRole", "MemberRole"]


def stack_of(role: str) -> Stack:
    """Return the stack that creates a role, with everything that the role can allow."""
    if role == "MemberRole":
        return load_stack(MEMBER_TEMPLATE, AdministratorAccountId=ADMINISTRATOR)
    if role == "ExpiryRole":
        return load_stack("deploy/expiry-alarms.yaml")
    return load_stack(MemberRoleName="iam26-remediation-member")


def statements_of(role: str) -> list[Statement]:
    return stack_of(role).statements(role)


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_a_wildcard(role: str) -> None:
    """Each action is spelled out, and nothing is allowed by excluding something else."""
    for statement in statements_of(role):
        assert not [action for action in list_of(statement["Action"]) if "*" in action]
        assert not {"NotAction", "NotResource"} & statement.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_no_managed_policies(role: str) -> None:
    """No managed policy adds permissions that the template does not show."""
    assert "ManagedPolicyArns" not in stack_of(role).properties(role)


def test_each_action_on_every_resource_has_a_reason() -> None:
    """The actions allowed on `*` are exactly those listed with a reason."""
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


def test_every_other_action_is_on_resources_of_the_stack() -> None:
    """Actions with resource-level permissions are allowed on the resources they are for alone."""
    allowed = {
        action: statement["Resource"]
        for statement in statements_of("RemediateRole")
        if statement["Resource"] != "*"
        for action in list_of(statement["Action"])
    }

    assert allowed == RESOURCES


def test_the_function_can_never_suppress_a_finding() -> None:
    """Setting a workflow status is allowed, but SUPPRESSED is denied, as Security Hub documents."""
    [denial] = [one for one in statements_of("RemediateRole") if one["Effect"] == "Deny"]

    assert denial == {
        "Sid": "NeverSuppress",
        "Effect": "Deny",
        "Action": "securityhub:BatchUpdateFindings",
        "Resource": "*",
        "Condition": {"StringEquals": {"securityhub:ASFFSyntaxPath/Workflow.Status": "SUPPRESSED"}},
    }


def test_the_sweep_sends_to_two_queues_only() -> None:
    """The sweep sends to the remediation queue, and Lambda to the queue of failed sweeps."""
    resources = {
        statement["Resource"]
        for statement in statements_of("SweepRole")
        if "sqs:SendMessage" in list_of(statement["Action"])
    }

    assert resources == {"<Queue.Arn>", "<SweepDeadLetterQueue.Arn>"}


def test_the_sweep_publishes_to_the_topic_only() -> None:
    """The sweep publishes its digest to the topic of the stack, and nowhere else."""
    resources = [
        statement["Resource"]
        for statement in statements_of("SweepRole")
        if "sns:Publish" in list_of(statement["Action"])
    ]

    assert resources == ["<Topic>"]


def test_the_archive_can_be_listed_only_below_certificates() -> None:
    """Listing the bucket is allowed below the prefix `certificates/` only."""
    [listing] = [
        one for one in statements_of("RemediateRole") if "s3:ListBucket" in list_of(one["Action"])
    ]

    assert listing["Condition"] == {"StringLike": {"s3:prefix": "certificates/*"}}


def test_no_role_can_be_assumed_unless_one_is_named() -> None:
    """Without MemberRoleName the function cannot assume any role."""
    alone = list_actions(load_stack().statements("RemediateRole"))

    assert list_actions(statements_of("RemediateRole")) - alone == {"sts:AssumeRole"}


def test_member_roles_trust_the_function_role_by_its_name() -> None:
    """A member role trusts the administrator account, for the role of the function alone."""
    stack = stack_of("MemberRole")
    [trust] = stack.properties("MemberRole")["AssumeRolePolicyDocument"]["Statement"]
    name = load_stack().properties("RemediateRole")["RoleName"]

    assert trust["Principal"] == {"AWS": f"arn:aws:iam::{ADMINISTRATOR}:root"}
    assert trust["Action"] == "sts:AssumeRole"
    assert trust["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ADMINISTRATOR}:role/{name}"}
    }


def test_the_default_name_of_the_member_role_is_accepted() -> None:
    """The default name of the member role can be passed to the main template."""
    default = load_stack(MEMBER_TEMPLATE).parameters["RoleName"]["Default"]
    stack = stack_of("MemberRole")

    assert stack.properties("MemberRole")["RoleName"] == default
    assert (
        default
        == load_stack(MemberRoleName=default).properties("SweepFunction")["Environment"][
            "Variables"
        ]["MEMBER_ROLE_NAME"]
    )


def test_the_administrator_account_gets_no_member_role() -> None:
    """A StackSet over the whole organisation creates nothing in the administrator account."""
    assert not load_stack(MEMBER_TEMPLATE, AdministratorAccountId="111122223333").resources


@pytest.mark.parametrize("role", ["RemediateRole", "SweepRole"])
def test_only_lambda_can_assume_the_roles_of_the_functions(role: str) -> None:
    """Nobody but Lambda can assume the role of a function."""
    [trust] = stack_of(role).properties(role)["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_each_function_has_its_role() -> None:
    """The roles tested here are those that the functions have."""
    functions = load_stack().of_type("AWS::Serverless::Function")

    assert {name: one["Properties"]["Role"] for name, one in functions.items()} == {
        "RemediateFunction": "<RemediateRole.Arn>",
        "SweepFunction": "<SweepRole.Arn>",
    }


CALLERS = [
    ("RemediateRole", "remediate", "own"),
    ("SweepRole", "sweep", "own"),
    ("ExpiryRole", "expiry_alarms", "own"),
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


def test_operations_are_mapped_to_actions() -> None:
    """An operation is mapped to the IAM action that AWS checks, by service and by name."""
    operations = [
        "elb.DescribeLoadBalancers",
        "elbv2.DescribeListeners",
        "s3.ListObjectsV2",
        "s3.PutObject",
        "sts.AssumeRole",
        "sts.GetCallerIdentity",
        "securityhub.GetFindings",
        "cloudwatch.PutMetricAlarm",
    ]

    assert list_needed_actions(operations) == {
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
        "s3:ListBucket",
        "s3:PutObject",
        "sts:AssumeRole",
        "securityhub:GetFindings",
        "cloudwatch:PutMetricAlarm",
    }


def test_records_of_parallel_workers_are_merged(tmp_path: Path) -> None:
    """The records of parallel workers are read as one."""
    records: list[dict[str, Any]] = [
        {"remediate": {"own": ["iam.ListServerCertificates"], "member": []}},
        {"remediate": {"own": ["s3.PutObject"]}, "sweep": {"own": ["sqs.SendMessage"]}},
    ]
    for number, record in enumerate(records):
        (tmp_path / f"gw{number}.json").write_text(json.dumps(record))

    called = load_operations(tmp_path)

    assert called["remediate"]["own"] == {"iam.ListServerCertificates", "s3.PutObject"}
    assert called["sweep"]["own"] == {"sqs.SendMessage"}


def test_without_records_the_error_says_what_to_run(tmp_path: Path) -> None:
    """Whoever runs the template tests first is told which tests to run before."""
    with pytest.raises(NothingRecordedError, match="make functional"):
        load_operations(tmp_path)
