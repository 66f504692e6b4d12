"""The one place where the application is put together."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from handlers.aws.account import Accounts, Identity
from handlers.aws.acm import AcmCertificates
from handlers.aws.alarms import Alarms
from handlers.aws.archive import Archive
from handlers.aws.certificate_deletion import DeletableCertificates
from handlers.aws.certificates import Certificates
from handlers.aws.clients import Clients, make_session
from handlers.aws.finding_updates import UpdatableFindings
from handlers.aws.findings import Findings
from handlers.aws.notifications import Notifications
from handlers.aws.queue import Queue
from handlers.expiry.alarms import ExpiryAlarms
from handlers.observability import SERVICE
from handlers.remediation.batch import Remediation
from handlers.remediation.report import Reporter
from handlers.remediation.sweep import Sweep
from models.errors import SettingsError
from models.settings import ExpirySettings, Settings, SweepSettings

SWEEP_USER_AGENT = "iam26-sweep"
EXPIRY_USER_AGENT = "iam26-expiry-alarms"


def wire_remediation(environment: Mapping[str, str]) -> Remediation:
    """Return the application for an environment; a warm function reuses it.

    Raises:
        SettingsError: a variable cannot be used; the message names it and its value.
    """
    return _wire_remediation(Settings.from_environment(environment), _read_region(environment))


def wire_sweep(environment: Mapping[str, str]) -> Sweep:
    """Return the sweep for an environment.

    Raises:
        SettingsError: a variable cannot be used; the message names it and its value.
    """
    settings = SweepSettings.from_environment(environment)
    region = _read_region(environment)
    clients = Clients(make_session(region), region, user_agent=SWEEP_USER_AGENT)
    return Sweep(
        settings,
        Findings(clients),
        Queue(clients, settings.queue_url),
        Notifications(clients, settings.topic_arn) if settings.topic_arn else None,
        clients.region,
        Identity(clients).read_account_id,
        _read_clock,
    )


def wire_expiry_alarms(environment: Mapping[str, str]) -> ExpiryAlarms:
    """Return the expiry alarms for an environment.

    Raises:
        SettingsError: a variable cannot be used; the message names it and its value.
    """
    settings = ExpirySettings.from_environment(environment)
    region = _read_region(environment)
    if settings.topic_region != region:
        raise SettingsError(
            f"TOPIC_ARN: an alarm can notify a topic of its own Region alone, which is {region}, "
            f"got {settings.topic_arn!r}"
        )
    clients = Clients(make_session(region), region, user_agent=EXPIRY_USER_AGENT)
    return ExpiryAlarms(
        settings, AcmCertificates(clients), Certificates(clients), Alarms(clients), _read_clock
    )


@lru_cache(maxsize=1)
def _wire_remediation(settings: Settings, region: str) -> Remediation:
    clients = Clients(make_session(region), region, user_agent=SERVICE)
    identity = Identity(clients)
    accounts = Accounts(clients, identity, settings, _read_clock, DeletableCertificates)
    findings = UpdatableFindings(clients)
    archive = (
        Archive(clients, settings.archive_bucket, identity.read_account_id)
        if settings.archive_bucket
        else None
    )
    topic = Notifications(clients, settings.topic_arn) if settings.topic_arn else None
    reporter = Reporter(findings, topic, _read_clock)
    return Remediation(settings, accounts, findings, archive, reporter, _read_clock)


def _read_region(environment: Mapping[str, str]) -> str:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("AWS_REGION: is missing")
    return region


def _read_clock() -> datetime:
    return datetime.now(UTC)
