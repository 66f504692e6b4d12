"""The one place where the application is put together."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import boto3

from handlers.aws.account import Accounts
from handlers.aws.archive import Archive
from handlers.aws.clients import SDK_ATTEMPTS, Clients
from handlers.aws.findings import Findings
from handlers.aws.notifications import Notifications
from handlers.remediation import Remediation
from handlers.reporting import Reporter
from models.errors import SettingsError
from models.settings import Settings


def wire_remediation(environment: Mapping[str, str]) -> Remediation:
    """Give the application for an environment; the same one as long as its variables stay.

    Raises:
        SettingsError: a variable cannot be used; the message names it and its value.
    """
    settings = Settings.from_environment(environment)
    sdk = tuple(sorted((name, value) for name, value in environment.items() if name[:4] == "AWS_"))
    return _wire(settings, sdk)


@lru_cache(maxsize=1)
def _wire(settings: Settings, sdk: tuple[tuple[str, str], ...]) -> Remediation:
    variables = dict(sdk)
    region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("AWS_REGION: is missing")
    clients = Clients(boto3.Session(region_name=region), region, _read_attempts(variables))
    accounts = Accounts(clients, settings, _read_clock)
    findings = Findings(clients)
    archive = (
        Archive(clients, settings.archive_bucket, lambda: accounts.own_id)
        if settings.archive_bucket
        else None
    )
    topic = Notifications(clients, settings.topic_arn) if settings.topic_arn else None
    reporter = Reporter(findings, topic, _read_clock)
    return Remediation(settings, accounts, findings, archive, reporter, _read_clock)


def _read_attempts(variables: Mapping[str, str]) -> int:
    """Give how often the SDK tries a call; the SDK's own variable has the last word."""
    given = variables.get("AWS_MAX_ATTEMPTS", str(SDK_ATTEMPTS))
    if not given.isdecimal() or int(given) < 1:
        raise SettingsError(f"AWS_MAX_ATTEMPTS: must be a number from 1, got {given!r}")
    return int(given)


def _read_clock() -> datetime:
    return datetime.now(UTC)
