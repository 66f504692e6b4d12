"""One AWS account: its credentials, its certificates, what refers to them."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from handlers.aws.answers import IncompleteReadingError, require_part, require_text
from handlers.aws.certificates import Certificates
from handlers.aws.clients import Clients, Credentials
from handlers.aws.errors import translated_errors
from handlers.aws.references.scan import Scan, Watcher
from models.reference import References
from models.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef

# As long as Lambda lets an invocation work.
LONGEST_INVOCATION = timedelta(minutes=15)

C = TypeVar("C", bound=Certificates)


class RoleSession(NamedTuple):
    """How a member role is assumed.

    Attributes:
        name: what an auditor sees in the member account's CloudTrail.
        policy: what the session may do at most, as JSON; None for whatever the role may do.
    """

    name: str
    policy: str | None = None


REMEDIATION_SESSION = RoleSession("iam26-remediation")


class Account(Generic[C]):
    """An account that this application has credentials of."""

    def __init__(self, account_id: str, certificates: C, scan: Scan) -> None:
        self.id = account_id
        self.certificates = certificates
        self._scan = scan

    def scan_references(
        self, seconds_left: float | None, watch: Watcher | None = None
    ) -> References:
        """Return everything in the account that refers to IAM server certificates.

        Args:
            seconds_left: how long it may take; None for as long as it takes.
            watch: learns how far the scan is.

        Raises:
            TransientError: a source could not answer now, or the time was not enough.
        """
        return self._scan.run(seconds_left, watch)


class Identity:
    """Who this application is; asked for once."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._account_id: str | None = None
        self._lock = threading.Lock()

    def read_account_id(self) -> str:
        """Return the account this application runs in.

        Raises:
            AwsCallError, TransientError: STS did not say.
        """
        # Accounts that are worked on side by side wait for one answer.
        with self._lock:
            if self._account_id is None:
                sts: STSClient = self._clients.get("sts")
                with translated_errors("GetCallerIdentity"):
                    self._account_id = require_text(
                        sts.get_caller_identity(), "Account", "the answer"
                    )
            return self._account_id


class Accounts(Generic[C]):
    """The accounts that can be reached: our own, and others through the member role.

    Args:
        clients: clients with our own credentials.
        identity: who we are.
        settings: the name of the member role, and what a scan covers.
        clock: returns the time in UTC.
        make_certificates: returns an account's certificates for clients with its credentials; it
            decides whether they may be deleted.
        role_session: how the member role is assumed.
    """

    def __init__(
        self,
        clients: Clients,
        identity: Identity,
        settings: Settings,
        clock: Callable[[], datetime],
        make_certificates: Callable[[Clients], C],
        role_session: RoleSession = REMEDIATION_SESSION,
    ) -> None:
        self._clients = clients
        self._identity = identity
        self._settings = settings
        self._clock = clock
        self._make_certificates = make_certificates
        self._role_session = role_session
        self._credentials: dict[str, Credentials] = {}

    @property
    def partition(self) -> str:
        """The partition this application works in, such as `aws-us-gov`."""
        return self._clients.partition

    def is_in_scope(self, account_id: str) -> bool:
        """Return whether an account is our own, or one that the member role is meant for."""
        if self._settings.member_role_name:
            return True
        return account_id == self._identity.read_account_id()

    def open(self, account_id: str) -> Account[C]:
        """Return an account with credentials of its own, which last longer than any invocation.

        Of another account only the credentials are kept for later: clients of hundreds of
        accounts would fill the memory, and an invocation works on an account only once.

        Raises:
            AwsCallError: its member role is missing or does not trust us.
            TransientError: STS could not answer now.
        """
        clients = self._clients
        if account_id != self._identity.read_account_id():
            clients = clients.sign_with(self._read_credentials(account_id))
        scan = Scan(clients, self._settings, self._clock)
        return Account(account_id, self._make_certificates(clients), scan)

    def _read_credentials(self, account_id: str) -> Credentials:
        known = self._credentials.get(account_id)
        if known and known.expires_at - self._clock() > LONGEST_INVOCATION:
            return known
        fresh = self._assume_member_role(account_id)
        self._credentials[account_id] = fresh
        return fresh

    def _assume_member_role(self, account_id: str) -> Credentials:
        role_arn = f"arn:{self.partition}:iam::{account_id}:role/{self._settings.member_role_name}"
        name, policy = self._role_session
        request: AssumeRoleRequestTypeDef = {"RoleArn": role_arn, "RoleSessionName": name}
        if policy:
            request["Policy"] = policy
        sts: STSClient = self._clients.get("sts")
        with translated_errors("AssumeRole"):
            answer = sts.assume_role(**request)
            given = require_part(answer, "Credentials", "the answer")
            names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
            signing = [require_text(given, name, "the credentials") for name in names]
            expires_at = given.get("Expiration")
            if not isinstance(expires_at, datetime):
                raise IncompleteReadingError("the credentials have no Expiration")
            key_id, secret, token = signing
            return Credentials(key_id, secret, token, expires_at)
