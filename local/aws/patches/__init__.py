"""What moto lacks or gets wrong, service by service; each module says what that is."""

from __future__ import annotations

from local.aws.patches import (
    accounts,
    acm,
    appsync,
    cloudfront,
    cloudwatch,
    ec2,
    elasticbeanstalk,
    elbv2,
    events,
    iam,
    partitions,
    securityhub,
)

PATCHES = (
    accounts.PATCH,
    acm.PATCH,
    appsync.PATCH,
    cloudfront.PATCH,
    cloudwatch.PATCH,
    ec2.PATCH,
    elasticbeanstalk.PATCH,
    elbv2.PATCH,
    events.PATCH,
    iam.PATCH,
    partitions.PATCH,
    securityhub.PATCH,
)


def apply_patches() -> None:
    """Patch moto for this process; repeating it changes nothing."""
    for patch in PATCHES:
        patch.apply()


def undo_patches() -> None:
    """Leave moto as it came."""
    for patch in PATCHES:
        patch.undo()
