"""What the commands may call: the policies that they print, and the guard that holds them to it."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

# What botocore reads credentials through, by its own names; how is the business of the profile.
CREDENTIAL_SERVICES = frozenset({"signin", "sso", "sso-oidc", "sts"})

# Findings are no resources of IAM, and belong to the hubs of the members.
SECURITY_HUB = {"securityhub": ("GetFindings",)}
CERTIFICATE_TAGS = {"iam": ("ListServerCertificateTags",)}
# None of these can be allowed on single resources but those of Elastic Beanstalk, which leaves out
# without an error what is denied.
HOLDERS = {
    "iam": ("ListServerCertificates",),
    "ec2": ("DescribeRegions",),
    "elasticloadbalancing": (
        "DescribeLoadBalancers",
        "DescribeListeners",
        "DescribeListenerCertificates",
    ),
    "cloudfront": ("ListDistributions",),
    "appsync": ("ListDomainNames",),
    "elasticbeanstalk": (
        "DescribeApplications",
        "DescribeEnvironments",
        "DescribeConfigurationSettings",
    ),
}

Actions = Mapping[str, tuple[str, ...]]
Policy = dict[str, Any]


class ReadOnly(NamedTuple):
    """What a command may call, by the service that a request is signed for.

    Attributes:
        calls: the operations of each service.
    """

    calls: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, *actions: Actions) -> "ReadOnly":
        """Return the permission for all of these."""
        calls: dict[str, frozenset[str]] = {}
        for one in actions:
            for service, operations in one.items():
                calls[service] = calls.get(service, frozenset()) | {*operations}
        return cls(calls)

    def allows(self, service: str, operation: str) -> bool:
        """Return whether a command may call an operation of a service."""
        return operation in self.calls.get(service, ())


PLAN_CALLS = ReadOnly.of(HOLDERS, CERTIFICATE_TAGS, SECURITY_HUB)
STATUS_CALLS = ReadOnly.of(SECURITY_HUB)


def compose_account_policy(partition: str) -> Policy:
    """Return what the plan needs in each account that it looks at."""
    return _compose(
        _allow("ReadWhatMayRefer", HOLDERS),
        _allow("ReadTags", CERTIFICATE_TAGS, f"arn:{partition}:iam::*:server-certificate/*"),
    )


def compose_plan_policy(partition: str, role_name: str | None) -> Policy:
    """Return what whoever runs `iam26 plan` needs; `role_name` is the role in other accounts."""
    statements = [
        *compose_account_policy(partition)["Statement"],
        _allow("ReadSuppressedFindings", SECURITY_HUB),
    ]
    if role_name:
        role = f"arn:{partition}:iam::*:role/{role_name}"
        statements.append(_allow("EnterOtherAccounts", {"sts": ("AssumeRole",)}, role))
    return _compose(*statements)


def compose_status_policy() -> Policy:
    """Return what whoever runs `iam26 status` needs."""
    return _compose(_allow("ReadFindings", SECURITY_HUB))


def render_compact(policy: Policy) -> str:
    """Return a policy as it is sent; that of a session has 2,048 characters at most."""
    return json.dumps(policy, separators=(",", ":"))


def _allow(sid: str, actions: Actions, resource: str = "*") -> Policy:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{name}" for service, names in actions.items() for name in names],
        "Resource": resource,
    }


def _compose(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}
