"""The local AWS with the policies of roles enforced.

moto checks each action against the role's statements, and the signature. It knows neither the
resource of most calls nor our conditions, so these are taken out of the statements here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin

from local.aws import faults
from local.aws.server import Aws
from local.fixtures.stack import Statement
from tests.template.policies import list_of

POLICY = "allowed"

# moto's own answer to these is an error, allowed or not: see `test_moto_cannot_enforce`.
NOT_ENFORCED = frozenset({"cloudfront", "appsync"})

_check = ActionAuthenticatorMixin._authenticate_and_authorize_action


@contextmanager
def enforced() -> Iterator[None]:
    """Let the local AWS deny what no policy allows."""

    def check(self: Any, *args: Any, **kwargs: Any) -> None:
        if self.service_name not in NOT_ENFORCED:
            _check(self, *args, **kwargs)

    with (
        patch.object(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0),
        patch.object(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", check),
    ):
        yield


def create_role(
    aws: Aws, account_id: str, name: str, statements: Iterable[Statement], without: str = ""
) -> str:
    """Create a role with what statements allow, less one action, and return its ARN."""
    iam = aws.client("iam", account_id=account_id)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_write_policy([trust]))
    allow(aws, account_id, name, statements, without)
    return str(made["Role"]["Arn"])


def allow(
    aws: Aws, account_id: str, role: str, statements: Iterable[Statement], without: str = ""
) -> None:
    """Let a role do what statements allow, less one action, and nothing else."""
    aws.client("iam", account_id=account_id).put_role_policy(
        RoleName=role,
        PolicyName=POLICY,
        PolicyDocument=_write_policy(_list_for_moto(statements, without)),
    )


def assume_role(aws: Aws, role_arn: str) -> dict[str, str]:
    """Return the environment variables of a session of a role."""
    given = aws.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def _list_for_moto(statements: Iterable[Statement], without: str) -> list[Mapping[str, Any]]:
    return [
        {
            "Effect": one["Effect"],
            "Action": [action for action in list_of(one["Action"]) if action != without],
            "Resource": "*",
        }
        for one in statements
        # Without its condition a statement that denies would deny all of it.
        if one["Effect"] == "Allow" and list_of(one["Action"]) != [without]
    ]


def _write_policy(statements: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@contextmanager
def denied_where_not_enforced(action: str) -> Iterator[None]:
    """Deny an action of a service that moto cannot check."""
    service, _, operation = action.partition(":")
    if service not in NOT_ENFORCED:
        yield
        return
    with faults.inject(service=service, operation=operation, fault=faults.AccessDenied()):
        yield
