"""What moto gets wrong, service by service, put right."""

from __future__ import annotations

from local.mends import (
    accounts,
    appsync,
    cloudfront,
    ec2,
    elasticbeanstalk,
    elbv2,
    events,
    iam,
    partitions,
    securityhub,
)

MENDS = (
    accounts.MEND,
    appsync.MEND,
    cloudfront.MEND,
    ec2.MEND,
    elasticbeanstalk.MEND,
    elbv2.MEND,
    events.MEND,
    iam.MEND,
    partitions.MEND,
    securityhub.MEND,
)


def apply_mends() -> None:
    """Mend moto for this process; repeating it changes nothing."""
    for mend in MENDS:
        mend.apply()


def undo_mends() -> None:
    """Leave moto as it came."""
    for mend in MENDS:
        mend.undo()
