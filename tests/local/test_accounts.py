"""Accounts: which one a request belongs to."""

from typing import Any

import boto3

from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.patches import accounts
from local.aws.server import Aws
from tests.builders import MEMBER_ACCOUNT
from tests.local.conftest import Unpatched


def who_is(client: Any) -> str:
    return str(client.get_caller_identity()["Account"])


def client_with(service: str, key: str, token: str | None = None) -> Any:
    # The stubs know no service by a name that is not a literal.
    session: Any = boto3.Session()
    return session.client(
        service,
        region_name=HOME_REGION,
        aws_access_key_id=key,
        aws_secret_access_key="local",
        aws_session_token=token,
    )


def test_unknown_credentials_are_our_own_account(aws: Aws, unpatched: Unpatched) -> None:
    """A key that nobody issued belongs to our own account, not to moto's."""
    stranger = client_with("sts", "AKIAIOSFODNN7EXAMPLE")
    assert who_is(stranger) == OWN_ACCOUNT
    with unpatched(accounts.PATCH):
        assert who_is(stranger) == "123456789012"


def test_a_key_names_its_account(aws: Aws, unpatched: Unpatched) -> None:
    """A client of any account is made without creating anything in it first."""
    client = aws.client("sts", account_id=MEMBER_ACCOUNT)
    assert who_is(client) == MEMBER_ACCOUNT
    with unpatched(accounts.PATCH):
        assert who_is(client) == "123456789012"


def test_credentials_of_an_assumed_role_belong_to_the_roles_account(aws: Aws) -> None:
    """The account is that of the role, whoever assumed it."""
    role = f"arn:aws:iam::{MEMBER_ACCOUNT}:role/iam26-member"
    assumed = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    client = client_with("sts", assumed["AccessKeyId"], assumed["SessionToken"])
    assert who_is(client) == MEMBER_ACCOUNT


def test_an_issued_key_belongs_to_the_account_that_issued_it(aws: Aws) -> None:
    """A user's access key is known by the account that the user lives in."""
    iam = aws.client("iam", account_id=MEMBER_ACCOUNT)
    iam.create_user(UserName="someone")
    key = iam.create_access_key(UserName="someone")["AccessKey"]["AccessKeyId"]
    assert who_is(client_with("sts", key)) == MEMBER_ACCOUNT


def test_accounts_do_not_see_each_other(aws: Aws) -> None:
    """What one account creates is not in another."""
    aws.client("elasticbeanstalk").create_application(ApplicationName="mine")
    there = aws.client("elasticbeanstalk", account_id=MEMBER_ACCOUNT)
    assert there.describe_applications()["Applications"] == []
