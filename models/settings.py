"""The environment variables the functions read, validated once on start."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from models.base import Model
from models.errors import SettingsError, describe_invalid

REGION_NAME = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")

MemberRoleName = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_+=,.@-]{1,64}$")]
TOPIC_ARN = r"^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"
TopicArn = Annotated[str | None, Field(pattern=TOPIC_ARN)]
RATE = re.compile(r"rate\((?P<number>[1-9][0-9]{0,4}) (?P<unit>minute|hour|day)s?\)")


class Mode(StrEnum):
    """Whether certificates are deleted."""

    DRY_RUN = "DryRun"
    ENFORCE = "Enforce"


class DeniedRegions(StrEnum):
    """What an explicit deny in a service control policy means for the proof."""

    UNVERIFIED = "Unverified"
    OUT_OF_SCOPE = "OutOfScope"


class AutoRemediation(StrEnum):
    """Whether findings are worked on without a person who asks for it."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class Scope(StrEnum):
    """Which certificates of ACM have an alarm before they expire."""

    IMPORTED = "Imported"
    ALL = "All"


class IamCertificates(StrEnum):
    """Whether the server certificates of IAM have one too; in one Region of an account."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


def _split_regions(value: object) -> object:
    if not isinstance(value, str):
        return value
    regions = tuple(sorted({part.strip() for part in value.split(",") if part.strip()}))
    for region in regions:
        if not REGION_NAME.fullmatch(region):
            raise ValueError(f"{region!r} is not the name of a Region")
    return regions


class _Environment(Model):
    """Settings that are read from environment variables, which are their fields' aliases."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings in an environment; an empty variable counts as not set.

        Raises:
            SettingsError: naming each variable whose value cannot be used.
        """
        variables = {str(field.alias) for field in cls.model_fields.values()}
        given = {name: environment[name] for name in variables if environment.get(name, "").strip()}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError(describe_invalid(error)) from None


class Settings(_Environment):
    """The settings of the remediation function."""

    mode: Mode = Field(alias="MODE", default=Mode.DRY_RUN)
    grace_period_days: int = Field(alias="GRACE_PERIOD_DAYS", default=0, ge=0, le=3650)
    # A space around the key would match no tag, and delete what somebody wants kept.
    exempt_tag_key: str = Field(
        alias="EXEMPT_TAG_KEY", default="iam26:keep", max_length=128, pattern=r"^\S(.*\S)?$"
    )
    regions: Annotated[tuple[str, ...], BeforeValidator(_split_regions)] = Field(
        alias="REGIONS", default=()
    )
    denied_regions: DeniedRegions = Field(alias="DENIED_REGIONS", default=DeniedRegions.UNVERIFIED)
    # Half of what AWS allows an account and Region, which the customer's own controllers share.
    elb_calls_per_second: int = Field(alias="ELB_CALLS_PER_SECOND", default=5, ge=1, le=100)
    member_role_name: MemberRoleName = Field(alias="MEMBER_ROLE_NAME", default=None)
    archive_bucket: str | None = Field(
        alias="ARCHIVE_BUCKET", default=None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
    )
    topic_arn: TopicArn = Field(alias="TOPIC_ARN", default=None)

    @model_validator(mode="after")
    def _archive_before_delete(self) -> Self:
        if self.mode is Mode.ENFORCE and self.archive_bucket is None:
            raise ValueError("ARCHIVE_BUCKET is needed when MODE is Enforce")
        return self

    @property
    def grace_period(self) -> timedelta:
        """How long an expired certificate is kept all the same."""
        return timedelta(days=self.grace_period_days)


class SweepSettings(_Environment):
    """The settings of the sweep."""

    queue_url: str = Field(alias="QUEUE_URL", pattern=r"^https?://\S+$")
    member_role_name: MemberRoleName = Field(alias="MEMBER_ROLE_NAME", default=None)
    auto_remediation: AutoRemediation = Field(
        alias="AUTO_REMEDIATION", default=AutoRemediation.ENABLED
    )
    topic_arn: TopicArn = Field(alias="TOPIC_ARN", default=None)
    schedule: str = Field(
        alias="SWEEP_SCHEDULE", default="rate(1 day)", pattern=r"^(rate|cron)\(.+\)$"
    )

    @property
    def period(self) -> timedelta:
        """How long after a sweep the next one starts; a day where the schedule does not tell."""
        rate = RATE.fullmatch(self.schedule)
        if rate is None:
            return timedelta(days=1)
        return timedelta(**{f"{rate['unit']}s": int(rate["number"])})


class ExpirySettings(_Environment):
    """The settings of the expiry alarms."""

    topic_arn: str = Field(alias="TOPIC_ARN", pattern=TOPIC_ARN)
    threshold_days: int = Field(alias="THRESHOLD_DAYS", default=45, ge=1, le=365)
    issued_threshold_days: int = Field(alias="ISSUED_THRESHOLD_DAYS", default=30, ge=1, le=365)
    scope: Scope = Field(alias="SCOPE", default=Scope.IMPORTED)
    iam_certificates: IamCertificates = Field(
        alias="IAM_CERTIFICATES", default=IamCertificates.DISABLED
    )
    max_alarms: int = Field(alias="MAX_ALARMS", default=500, ge=1, le=10000)

    @property
    def topic_region(self) -> str:
        """The Region of the topic, which must be that of the alarms."""
        return self.topic_arn.split(":")[3]
