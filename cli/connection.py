"""The session of the person at the terminal, which lets nothing out that is not read-only."""

import botocore.session
from botocore.exceptions import BotoCoreError
from botocore.model import OperationModel

from cli.errors import CommandError
from cli.permissions import CREDENTIAL_SERVICES, ReadOnly
from handlers.aws.clients import Clients, make_session


def connect(profile: str | None, region: str | None, allowed: ReadOnly, user_agent: str) -> Clients:
    """Return clients that sign with a profile's credentials, and call nothing but what is allowed.

    Args:
        profile: the profile in the AWS configuration; None for what the environment says.
        region: the Region; None for that of the profile or the environment.
        allowed: what may be called.
        user_agent: what the clients call themselves, as CloudTrail shows it.

    Raises:
        CommandError: there is no such profile, no Region, or the configuration cannot be read.
    """
    try:
        core = botocore.session.Session(profile=profile)
        chosen = region or core.get_config_variable("region")
        if not chosen:
            raise CommandError(
                "no Region is set: pass --region, such as --region us-east-1, or set AWS_REGION"
            )
        session = make_session(chosen, core)
    except BotoCoreError as error:
        raise CommandError(f"the AWS configuration cannot be used: {error}") from error
    guard = _Guard(allowed)
    session.events.register_first("before-call", guard.check)
    return Clients(session, chosen, user_agent=user_agent)


def find_partition(region: str | None) -> str:
    """Return the partition of a Region, such as `aws-us-gov`; `aws` without a Region.

    Raises:
        CommandError: no partition has such a Region.
    """
    try:
        partition = botocore.session.Session().get_partition_for_region(region or "us-east-1")
    except BotoCoreError as error:
        raise CommandError(f"--region: {error}") from error
    return str(partition)


class WriteRefusedError(RuntimeError):
    """The command tried to call what it is not allowed to, which no request went out for."""


class _Guard:
    """Lets only those calls out which are allowed."""

    def __init__(self, allowed: ReadOnly) -> None:
        self._allowed = allowed

    def check(self, model: OperationModel, **_: object) -> None:
        """Refuse a call that is not allowed, before its request is made.

        Raises:
            WriteRefusedError: it is not.
        """
        service = model.service_model
        if service.service_name in CREDENTIAL_SERVICES:
            return
        if not self._allowed.allows(service.signing_name, model.name):
            raise WriteRefusedError(
                f"this command does not call {service.signing_name}:{model.name}"
            )
