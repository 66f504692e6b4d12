"""Alarms on the days that certificates have left: what should be there, and what must change.

https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from models.base import Model, Received
from models.certificate import ServerCertificate
from models.settings import ExpirySettings, Scope
from models.text import fingerprint, fit_words

METRIC_NAME = "DaysToExpiry"
DIMENSION_NAME = "CertificateArn"
ACM_NAMESPACE = "AWS/CertificateManager"
# IAM has no such metric, so this application publishes it.
IAM_NAMESPACE = "IAM26Remediation"
PERIOD_SECONDS = 24 * 60 * 60

TAG_KEY = "iam26"
TAG_VALUE = "expiry-alarm"
NAME_LENGTH = 255
DESCRIPTION_LENGTH = 1024
ENDING = "-expiry-"

# https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateSummary.html
WITHOUT_EXPIRY = frozenset({"PENDING_VALIDATION", "VALIDATION_TIMED_OUT", "FAILED", "REVOKED"})

MOVE_TO_ACM = (
    "Request or import its successor in ACM (where ACM is not offered: upload it to IAM), set that "
    "there, then this one can go."
)


class Kind(StrEnum):
    """What keeps a certificate, and who renews it; an alarm's name begins with it."""

    IMPORTED = "acm-imported"
    ISSUED = "acm-issued"
    IAM = "iam"


OUR_NAME = re.compile(rf"({'|'.join(Kind)})-.*{ENDING}[0-9a-f]{{8}}", re.ASCII | re.DOTALL)


class AcmCertificate(Received):
    """A certificate as ACM lists it."""

    arn: str = Field(alias="CertificateArn", min_length=1)
    domain: str = Field(alias="DomainName", default="")
    type: str = Field(alias="Type", min_length=1)
    status: str = Field(alias="Status", min_length=1)

    @property
    def kind(self) -> Kind:
        """Whether its owner renews it or ACM does."""
        return Kind.IMPORTED if self.type == "IMPORTED" else Kind.ISSUED

    def is_in(self, scope: Scope) -> bool:
        """Return whether it is to have an alarm; what was never valid has nothing to expire."""
        if self.status in WITHOUT_EXPIRY:
            return False
        return scope is Scope.ALL or self.kind is Kind.IMPORTED


class Watched(NamedTuple):
    """A certificate that is to have an alarm.

    Attributes:
        kind: what keeps it.
        arn: its ARN.
        name: what people call it: a domain, or the certificate's name in IAM.
    """

    kind: Kind
    arn: str
    name: str


class Dimension(Model):
    """What a metric is about."""

    name: str = Field(alias="Name")
    value: str = Field(alias="Value")


class Alarm(Received):
    """All that can be set of an alarm on one metric, in CloudWatch's names.

    The defaults are CloudWatch's own, and what an alarm on an expression lacks is empty.
    """

    name: str = Field(alias="AlarmName", min_length=1)
    description: str = Field(alias="AlarmDescription", default="")
    namespace: str = Field(alias="Namespace", default="")
    metric_name: str = Field(alias="MetricName", default="")
    dimensions: tuple[Dimension, ...] = Field(alias="Dimensions", default=())
    statistic: str = Field(alias="Statistic", default="")
    period: int = Field(alias="Period", default=0)
    evaluation_periods: int = Field(alias="EvaluationPeriods", default=0)
    threshold: float = Field(alias="Threshold", default=0)
    comparison: str = Field(alias="ComparisonOperator", default="")
    treat_missing_data: str = Field(alias="TreatMissingData", default="missing")
    actions_enabled: bool = Field(alias="ActionsEnabled", default=True)
    alarm_actions: tuple[str, ...] = Field(alias="AlarmActions", default=())
    ok_actions: tuple[str, ...] = Field(alias="OKActions", default=())
    insufficient_data_actions: tuple[str, ...] = Field(alias="InsufficientDataActions", default=())
    # Data that have another unit would not be seen.
    unit: str | None = Field(alias="Unit", default=None)


class StoredAlarm(NamedTuple):
    """An alarm that CloudWatch has."""

    arn: str
    alarm: Alarm


class Correction(NamedTuple):
    """What an alarm is, and what it should be."""

    stored: StoredAlarm
    desired: Alarm


class Changes(NamedTuple):
    """The difference between the alarms that should be there and those that are.

    Attributes:
        missing: to be created.
        drifted: under a name of ours, but not as they should be.
        stale: under a name as ours have, for a certificate that is gone or out of scope.
        unchanged: how many are as they should be.
    """

    missing: tuple[Alarm, ...]
    drifted: tuple[Correction, ...]
    stale: tuple[StoredAlarm, ...]
    unchanged: int


class TooManyAlarmsError(Exception):
    """There are more certificates in scope than alarms are allowed; the message says how many."""

    def __init__(self, needed: int, allowed: int) -> None:
        super().__init__(
            f"{needed} certificates are in scope, and MAX_ALARMS allows {allowed} alarms; none was "
            "changed. Raise MAX_ALARMS (an alarm costs 0.10 USD a month) or narrow SCOPE."
        )


class ForeignAlarmError(Exception):
    """Alarms that are not ours have the names of ours; the message lists them."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            f"not ours, for want of the tag {TAG_KEY}={TAG_VALUE}, and left alone: "
            f"{', '.join(sorted(names))}. Rename them, or give them the tag."
        )


def watch_acm(certificates: Iterable[AcmCertificate], scope: Scope) -> tuple[Watched, ...]:
    """Return the certificates of ACM that are to have an alarm."""
    return tuple(
        Watched(one.kind, one.arn, one.domain or one.arn.rpartition("/")[2])
        for one in certificates
        if one.is_in(scope)
    )


def watch_iam(certificates: Iterable[ServerCertificate], now: datetime) -> tuple[Watched, ...]:
    """Return the server certificates of IAM that are to have an alarm.

    One that has expired is for the remediation.
    """
    return tuple(
        Watched(Kind.IAM, one.arn, one.name) for one in certificates if not one.is_expired(now)
    )


def count_days(certificates: Iterable[ServerCertificate], now: datetime) -> dict[str, int]:
    """Return the whole days that certificates have left, by ARN, without those that expired."""
    return {
        one.arn: (one.expiration - now).days
        for one in certificates
        if one.expiration is not None and not one.is_expired(now)
    }


def split_days(
    days: Mapping[str, int], stored: Iterable[StoredAlarm]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the days of the certificates that have an alarm, and those of all others, by ARN."""
    alarmed = {
        dimension.value
        for one in stored
        if one.alarm.namespace == IAM_NAMESPACE
        for dimension in one.alarm.dimensions
    }
    return (
        {arn: left for arn, left in days.items() if arn in alarmed},
        {arn: left for arn, left in days.items() if arn not in alarmed},
    )


def compose_alarm(watched: Watched, settings: ExpirySettings) -> Alarm:
    """Return the alarm that a certificate should have."""
    days = (
        settings.issued_threshold_days if watched.kind is Kind.ISSUED else settings.threshold_days
    )
    return Alarm(
        name=name_alarm(watched),
        description=fit_words(_describe(watched, days), DESCRIPTION_LENGTH),
        namespace=IAM_NAMESPACE if watched.kind is Kind.IAM else ACM_NAMESPACE,
        metric_name=METRIC_NAME,
        dimensions=(Dimension(name=DIMENSION_NAME, value=watched.arn),),
        statistic="Minimum",
        period=PERIOD_SECONDS,
        evaluation_periods=1,
        threshold=days,
        comparison="LessThanOrEqualToThreshold",
        # The metric ends when the certificate expires, and a new one has none yet.
        treat_missing_data="ignore",
        alarm_actions=(settings.topic_arn,),
    )


def name_alarm(watched: Watched) -> str:
    """Return a name that can be read, and that no other certificate's alarm has."""
    start = f"{watched.kind}-{re.sub('[^A-Za-z0-9]', '-', watched.name)}"
    ending = f"{ENDING}{fingerprint([watched.arn])}"
    return start[: NAME_LENGTH - len(ending)] + ending


def is_ours(tags: Mapping[str, str]) -> bool:
    """Return whether the tags of an alarm say that this application made it."""
    return tags.get(TAG_KEY) == TAG_VALUE


def compare(desired: Iterable[Alarm], stored: Iterable[StoredAlarm]) -> Changes:
    """Return what must change for the stored alarms to be the desired ones.

    Only the tags of an alarm tell whether it may be changed: a name can be anybody's.
    """
    wanted = {one.name: one for one in desired}
    known = {one.alarm.name: one for one in stored}
    drifted = tuple(
        Correction(known[name], one)
        for name, one in wanted.items()
        if name in known and known[name].alarm != one
    )
    return Changes(
        missing=tuple(one for name, one in wanted.items() if name not in known),
        drifted=drifted,
        stale=tuple(
            one for name, one in known.items() if name not in wanted and OUR_NAME.fullmatch(name)
        ),
        unchanged=len(wanted.keys() & known.keys()) - len(drifted),
    )


def _describe(watched: Watched, days: int) -> str:
    match watched.kind:
        case Kind.IMPORTED:
            return (
                f"The certificate for {watched.name}, imported into ACM, expires within {days} "
                "days, and ACM does not renew what was imported. Import its successor under the "
                "same ARN, so that nothing that uses it has to change, or request one that ACM "
                f"renews. {watched.arn}"
            )
        case Kind.ISSUED:
            return (
                f"ACM should have renewed the certificate for {watched.name} by now: it expires "
                f"within {days} days, so the renewal has stalled. See RenewalSummary in `aws acm "
                "describe-certificate`: most often a DNS record for validation is missing, or "
                f"nothing uses the certificate. {watched.arn}"
            )
        case Kind.IAM:
            return (
                f"The server certificate {watched.name} in IAM expires within {days} days, and "
                "IAM renews nothing. Nothing was scanned for this alarm: `iam26 plan` lists what "
                "refers to it (load balancers, CloudFront, AppSync domains, Elastic Beanstalk). "
                f"{MOVE_TO_ACM} {watched.arn}"
            )
