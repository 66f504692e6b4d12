"""What the expiry alarms need from AWS, as protocols that fakes can implement."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from models.certificate import ServerCertificate
from models.expiry import AcmCertificate, Alarm, StoredAlarm


class AcmPort(Protocol):
    """The certificates of ACM: see `handlers.aws.acm`."""

    def list_all(self) -> Sequence[AcmCertificate]:
        """Return every certificate of the Region."""
        ...


class ServerCertificatesPort(Protocol):
    """The server certificates of IAM: see `handlers.aws.certificates`."""

    def list_all(self) -> Sequence[ServerCertificate]:
        """Return every server certificate of the account."""
        ...


class AlarmsPort(Protocol):
    """CloudWatch: see `handlers.aws.alarms`."""

    def list_named(self, prefixes: Sequence[str]) -> Sequence[StoredAlarm]:
        """Return every metric alarm whose name begins with one of some prefixes."""
        ...

    def read_tags(self, arn: str) -> Mapping[str, str] | None:
        """Return the tags of an alarm, or None if it is not there any more."""
        ...

    def put(self, alarm: Alarm) -> None:
        """Create an alarm with our tag, or set what is there."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """Delete alarms; one that is gone is no error."""
        ...

    def publish_days(self, days: Mapping[str, int], at: datetime) -> None:
        """Publish how many days certificates have left at a time (UTC), by ARN."""
        ...
