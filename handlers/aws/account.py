"""One AWS account: its credentials, its certificates, what refers to them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.credentials import RefreshableCredentials
from botocore.session import get_session

from handlers.aws.certificates import Certificates
from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from handlers.aws.references.scan import Scan
from models.reference import References
from models.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

ROLE_SESSION_NAME = "iam26-remediation"


class Account:
    """An account that this application has credentials of."""

    def __init__(self, account_id: str, clients: Clients, scan: Scan) -> None:
        self.id = account_id
        self.certificates = Certificates(clients)
        self._scan = scan

    def scan_references(self, seconds_left: float | None) -> References:
        """Give everything in the account that refers to IAM server certificates.

        Args:
            seconds_left: how long it may take; None for as long as it takes.

        Raises:
            TransientError: a source could not answer now, or the time was not enough.
        """
        return self._scan.run(seconds_left)


class Accounts:
    """The accounts that can be reached: our own, and others through the member role."""

    def __init__(self, clients: Clients, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._clients = clients
        self._settings = settings
        self._clock = clock
        self._own_id: str | None = None
        self._opened: dict[str, Account] = {}

    @property
    def partition(self) -> str:
        """The partition this application works in, such as `aws-us-gov`."""
        return self._clients.partition

    @property
    def own_id(self) -> str:
        """The account this application runs in."""
        if self._own_id is None:
            sts: STSClient = self._clients.get("sts")
            with translated_errors("GetCallerIdentity"):
                self._own_id = sts.get_caller_identity()["Account"]
        return self._own_id

    def is_in_scope(self, account_id: str) -> bool:
        """Tell whether an account is ours, or one that the member role is meant for."""
        return self._settings.member_role_name is not None or account_id == self.own_id

    def open(self, account_id: str) -> Account:
        """Give an account with credentials of its own.

        Raises:
            AwsCallError: its member role is missing or does not trust us.
            TransientError: STS could not answer now.
        """
        if account_id not in self._opened:
            clients = (
                self._clients if account_id == self.own_id else self._assume_member_role(account_id)
            )
            scan = Scan(clients, self._settings, self._clock)
            self._opened[account_id] = Account(account_id, clients, scan)
        return self._opened[account_id]

    def _assume_member_role(self, account_id: str) -> Clients:
        role_arn = f"arn:{self.partition}:iam::{account_id}:role/{self._settings.member_role_name}"
        fetch = self._fetcher_of(role_arn)
        with translated_errors("AssumeRole"):
            credentials = RefreshableCredentials.create_from_metadata(
                metadata=fetch(), refresh_using=fetch, method="sts-assume-role"
            )
        core = get_session()
        # botocore has no public way to set credentials that renew themselves.
        core._credentials = credentials  # type: ignore[attr-defined]  # noqa: SLF001
        return Clients(
            boto3.Session(botocore_session=core, region_name=self._clients.region),
            self._clients.region,
            self._clients.attempts,
        )

    def _fetcher_of(self, role_arn: str) -> Callable[[], dict[str, Any]]:
        sts: STSClient = self._clients.get("sts")

        def fetch() -> dict[str, Any]:
            answer = sts.assume_role(RoleArn=role_arn, RoleSessionName=ROLE_SESSION_NAME)
            credentials = answer["Credentials"]
            return {
                "access_key": credentials["AccessKeyId"],
                "secret_key": credentials["SecretAccessKey"],
                "token": credentials["SessionToken"],
                "expiry_time": credentials["Expiration"].astimezone(UTC).isoformat(),
            }

        return fetch
