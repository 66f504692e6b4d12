"""ACM and CloudWatch as the expiry alarms see them, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from handlers.expiry.alarms import AlarmCounts, ExpiryAlarms
from local.aws.knobs import OWN_ACCOUNT
from models.errors import AwsCallError
from models.expiry import TAG_KEY, TAG_VALUE, AcmCertificate, Alarm, StoredAlarm
from models.settings import ExpirySettings
from tests.fakes import FailsOnRequest, FakeCertificates, FakeClock

TOPIC = f"arn:aws:sns:us-east-1:{OWN_ACCOUNT}:pagerduty-platform"
OURS = {TAG_KEY: TAG_VALUE}


def make_acm_arn(number: int) -> str:
    """Return the ARN of one of ACM's certificates."""
    return f"arn:aws:acm:us-east-1:{OWN_ACCOUNT}:certificate/{number:08x}"


def make_acm(number: int = 1, domain: str = "api.example.com", **overrides: Any) -> AcmCertificate:
    """Return a certificate that was imported into ACM."""
    fields = {
        "arn": make_acm_arn(number),
        "domain": domain,
        "type": "IMPORTED",
        "status": "ISSUED",
    }
    return AcmCertificate.model_validate(fields | overrides)


def make_settings(**overrides: Any) -> ExpirySettings:
    """Return the settings of a deployment with defaults."""
    return ExpirySettings.model_validate({"topic_arn": TOPIC} | overrides)


class FakeAcm(FailsOnRequest):
    """The certificates of ACM in one Region."""

    def __init__(self) -> None:
        super().__init__()
        self.certificates: list[AcmCertificate] = []

    def list_all(self) -> Sequence[AcmCertificate]:
        self.enter("ListCertificates")
        return tuple(self.certificates)


class FakeAlarms(FailsOnRequest):
    """The metric alarms of one Region, with their tags."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, Alarm] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.published: list[tuple[dict[str, int], datetime]] = []

    @property
    def writes(self) -> list[str]:
        return [one for one in self.calls if one in {"PutMetricAlarm", "DeleteAlarms"}]

    def add(self, alarm: Alarm, tags: dict[str, str]) -> None:
        self.stored[alarm.name] = alarm
        self.tags[alarm.name] = tags

    def list_named(self, prefixes: Sequence[str]) -> Sequence[StoredAlarm]:
        self.enter("DescribeAlarms")
        return tuple(
            StoredAlarm(f"arn:aws:cloudwatch:us-east-1:{OWN_ACCOUNT}:alarm:{name}", alarm)
            for name, alarm in self.stored.items()
            if name.startswith(tuple(prefixes))
        )

    def read_tags(self, arn: str) -> dict[str, str] | None:
        self.enter("ListTagsForResource")
        return self.tags.get(arn.rpartition(":")[2])

    def put(self, alarm: Alarm) -> None:
        self.enter("PutMetricAlarm")
        self.stored[alarm.name] = alarm
        self.tags.setdefault(alarm.name, OURS)

    def delete(self, names: Sequence[str]) -> None:
        if names:
            self.enter("DeleteAlarms")
        # The role allows it by the tag, which an alarm that is gone does not have.
        if any(self.tags.get(name) != OURS for name in names):
            raise AwsCallError("DeleteAlarms", "AccessDenied")
        for name in names:
            self.stored.pop(name, None)
            self.tags.pop(name, None)

    def publish_days(self, days: Mapping[str, int], at: datetime) -> None:
        if days:
            self.enter("PutMetricData")
            self.published.append((dict(days), at))


@dataclass
class Region:
    """One Region of an account, and what keeps its alarms."""

    clock: FakeClock = field(default_factory=FakeClock)
    acm: FakeAcm = field(default_factory=FakeAcm)
    alarms: FakeAlarms = field(default_factory=FakeAlarms)

    def __post_init__(self) -> None:
        self.iam = FakeCertificates(self.clock)

    def run(self, **settings: Any) -> AlarmCounts:
        return ExpiryAlarms(
            make_settings(**settings), self.acm, self.iam, self.alarms, self.clock
        ).run()

    @property
    def alarmed(self) -> set[str]:
        """The ARNs of the certificates that have an alarm."""
        return {one.dimensions[0].value for one in self.alarms.stored.values()}
