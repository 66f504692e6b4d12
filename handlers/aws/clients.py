"""The clients of one session, made once each and shared between threads."""

import re
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    from botocore.parsers import ResponseParserFactory

# The first one included.
SDK_ATTEMPTS = 5
# With growing pauses a minute and more, so that a hundred runs at once all get their turn.
PACED_ATTEMPTS = 12
# Enough to tell a hiccup from an endpoint that does not resolve, without waiting long for it.
ATTEMPTS_WHERE_NOT_LISTED = 2
CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 20
CALLS_AT_ONCE = 32
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
RetryMode = Literal["standard", "adaptive"]
# A time as AWS writes it: ISO 8601, or in a header RFC 9110.
WRITTEN_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}|[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4}")


def make_session(region: str, core: botocore.session.Session | None = None) -> boto3.Session:
    """Return a session of a Region that leaves a time which it cannot read as it came.

    boto3 would fail the whole answer for it, and with it whatever else the account has.

    Args:
        region: the Region.
        core: the session of botocore to build on; by default a new one.
    """
    core = core or botocore.session.get_session()
    parsers: ResponseParserFactory = core.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_parse_time)
    return boto3.Session(botocore_session=core, region_name=region)


def _parse_time(value: Any) -> Any:
    if isinstance(value, str) and not WRITTEN_TIME.match(value):
        # botocore would take a number for seconds since 1970, and a word for a day of this month.
        return value
    try:
        return parse_timestamp(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return value


class Credentials(NamedTuple):
    """What requests are signed with until they expire (UTC)."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime


class Clients:
    """Clients that sign with the same credentials.

    Args:
        session: what makes them.
        region: the Region of clients that are asked for without one.
        user_agent: what they call themselves, as CloudTrail shows it.
        credentials: what they sign with; by default the session's own.
        lock: held while the session makes a client, which is not safe for threads.
    """

    def __init__(
        self,
        session: boto3.Session,
        region: str,
        *,
        user_agent: str,
        credentials: Credentials | None = None,
        lock: "threading.Lock | None" = None,
    ) -> None:
        self.region = region
        self.partition = session.get_partition_for_region(region)
        self._session = session
        self._user_agent = user_agent
        self._credentials = credentials
        self._clients: dict[tuple[str, str, int, RetryMode], Any] = {}
        self._lock = lock or threading.Lock()

    def sign_with(self, credentials: Credentials) -> "Clients":
        """Return clients that sign with other credentials, made by the same session."""
        return Clients(
            self._session,
            self.region,
            user_agent=self._user_agent,
            credentials=credentials,
            lock=self._lock,
        )

    def get(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service in a Region (the home Region by default)."""
        return self._get(service, region or self.region, SDK_ATTEMPTS)

    def get_unrepeating(self, service: str) -> Any:
        """Return the client of a service that sends each call once, whatever comes of it."""
        return self._get(service, self.region, 1)

    def get_paced(self, service: str) -> Any:
        """Return the client of a service that slows down, as a whole, once it is throttled.

        It is patient, for callers that have minutes and would start anew if they failed.
        """
        return self._get(service, self.region, PACED_ATTEMPTS, "adaptive")

    def get_regional(self, service: str, region: str) -> Any:
        """Return the client of a service that the Region may not offer."""
        listed = self.is_listed(service, region)
        attempts = SDK_ATTEMPTS if listed else ATTEMPTS_WHERE_NOT_LISTED
        return self._get(service, region, attempts)

    def is_listed(self, service: str, region: str) -> bool:
        """Return whether the SDK knows that a service is offered in a Region."""
        with self._lock:
            listed = self._session.get_available_regions(service, partition_name=self.partition)
        return region in listed

    def is_in_partition(self, service: str) -> bool:
        """Return whether the SDK knows that a global service exists in this partition.

        If it does not, nothing follows: its list of endpoints is not kept for younger partitions.
        """
        return bool(
            self._session.get_available_regions(
                service, partition_name=self.partition, allow_non_regional=True
            )
        )

    def _get(self, service: str, region: str, attempts: int, mode: RetryMode = "standard") -> Any:
        with self._lock:
            key = (service, region, attempts, mode)
            if key not in self._clients:
                config = Config(
                    retries={"mode": mode, "total_max_attempts": attempts},
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=READ_TIMEOUT_SECONDS,
                    max_pool_connections=CALLS_AT_ONCE,
                    user_agent_extra=self._user_agent,
                )
                make: Any = self._session.client
                self._clients[key] = make(
                    service, region_name=region, config=config, **self._describe_credentials()
                )
            return self._clients[key]

    def _describe_credentials(self) -> dict[str, str]:
        if self._credentials is None:
            return {}
        return {
            "aws_access_key_id": self._credentials.access_key_id,
            "aws_secret_access_key": self._credentials.secret_access_key,
            "aws_session_token": self._credentials.session_token,
        }
