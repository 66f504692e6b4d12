"""What can go wrong with a call to AWS, made to go wrong on purpose."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from moto.core.botocore_stubber import MockRawResponse

from local.aws.knobs import knobs
from local.aws.wire import (
    ApiCall,
    Interceptor,
    Proceed,
    Recording,
    record_calls,
    skip_backoff,
    wire,
)

__all__ = [
    "AccessDenied",
    "ApiCall",
    "AwsFault",
    "Call",
    "ConnectionDropped",
    "DeniedByScp",
    "Fault",
    "InternalFailure",
    "NotOffered",
    "Recording",
    "Slow",
    "Then",
    "Throttled",
    "inject",
    "record_calls",
    "skip_backoff",
]


# What happens to a call: it answers, raises, or proceeds to the real answer.
Fault = Interceptor


@dataclass(frozen=True)
class AwsFault:
    """An error that AWS answers, in the protocol of whichever service is called."""

    code: str
    message: str
    http_status: int = 400

    def __call__(self, call: ApiCall, _: Proceed) -> AWSResponse:
        """Answer with the error; the call has no effect."""
        return render_error(call, self.code, self.message, self.http_status)


class Throttled:
    """The service's own way of saying that calls come too fast."""

    _CODES: ClassVar[Mapping[str, tuple[str, int]]] = {
        "acm": ("ThrottlingException", 400),
        "appsync": ("TooManyRequestsException", 429),
        "ec2": ("RequestLimitExceeded", 503),
        "events": ("ThrottlingException", 400),
        "resourcegroupstaggingapi": ("ThrottledException", 400),
        "s3": ("SlowDown", 503),
        "securityhub": ("TooManyRequestsException", 429),
        "sqs": ("RequestThrottled", 403),
    }

    def __call__(self, call: ApiCall, _: Proceed) -> AWSResponse:
        """Answer with the error; the call has no effect."""
        code, status = self._CODES.get(call.service, ("Throttling", 400))
        return render_error(call, code, "Rate exceeded", status)


@dataclass(frozen=True)
class InternalFailure:
    """A 500 of the service."""

    http_status: int = 500

    def __call__(self, call: ApiCall, _: Proceed) -> AWSResponse:
        """Answer with the error; the call has no effect."""
        codes = {"iam": "ServiceFailure", "s3": "InternalError", "ec2": "InternalError"}
        code = codes.get(call.service, "InternalFailure")
        return render_error(call, code, "An internal error occurred.", self.http_status)


@dataclass(frozen=True)
class AccessDenied:
    """A missing permission, in the words of the service."""

    reason: str = "because no identity-based policy allows the {action} action"

    _CODES: ClassVar = {
        "acm": "AccessDeniedException",
        "appsync": "AccessDeniedException",
        "events": "AccessDeniedException",
        "ec2": "UnauthorizedOperation",
        "resourcegroupstaggingapi": "AccessDeniedException",
        "securityhub": "AccessDeniedException",
        "sns": "AuthorizationError",
        "sqs": "AccessDenied",
    }
    # The services whose actions in a policy begin otherwise than boto3 calls the service.
    _PREFIXES: ClassVar = {
        "elb": "elasticloadbalancing",
        "elbv2": "elasticloadbalancing",
        "resourcegroupstaggingapi": "tag",
    }

    def __call__(self, call: ApiCall, _: Proceed) -> AWSResponse:
        """Answer with the error; the call has no effect."""
        prefix = self._PREFIXES.get(call.service, call.service)
        action = f"{prefix}:{call.operation}"
        user = f"arn:aws:sts::{call.account}:assumed-role/iam26-remediation/local"
        message = (
            f"User: {user} is not authorized to perform: {action} on resource: * "
            + self.reason.format(action=action)
        )
        if call.service == "ec2":
            message = f"You are not authorized to perform this operation. {message}"
        return render_error(call, self._CODES.get(call.service, "AccessDenied"), message, 403)


@dataclass(frozen=True)
class DeniedByScp(AccessDenied):
    """An explicit deny in a service control policy of the organisation."""

    reason: str = "with an explicit deny in a service control policy"


class ConnectionDropped:
    """The connection closes before the answer; whether the call took effect stays unknown."""

    def __init__(self, *, after_effect: bool = False) -> None:
        self._after_effect = after_effect

    def __call__(self, call: ApiCall, proceed: Proceed) -> AWSResponse:
        """Raise ConnectionClosedError."""
        if self._after_effect:
            proceed()
        raise ConnectionClosedError(endpoint_url=call.url)


class NotOffered:
    """The Region does not have the service: its endpoint does not resolve."""

    def __call__(self, call: ApiCall, _: Proceed) -> AWSResponse:
        """Raise EndpointConnectionError."""
        cause = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        raise EndpointConnectionError(endpoint_url=call.url, error=cause)


@dataclass(frozen=True)
class Slow:
    """The answer takes its time."""

    seconds: float

    def __call__(self, _: ApiCall, proceed: Proceed) -> AWSResponse:
        """Wait, then answer as AWS does."""
        time.sleep(self.seconds)
        return proceed()


@dataclass(frozen=True)
class Call:
    """A function that runs before the real answer, to change the world in the middle."""

    function: Callable[[], object]

    def __call__(self, _: ApiCall, proceed: Proceed) -> AWSResponse:
        """Run the function, then answer as AWS does."""
        self.function()
        return proceed()


@dataclass(frozen=True)
class Then:
    """A function that runs after the call took effect; let it raise to lose the answer."""

    function: Callable[[], object]

    def __call__(self, _: ApiCall, proceed: Proceed) -> AWSResponse:
        """Take the answer of AWS, run the function, then return that answer."""
        answer = proceed()
        self.function()
        return answer


@dataclass
class Injection:
    """A fault and the calls it waits for; None matches all."""

    fault: Fault
    service: str | None = None
    operation: str | None = None
    region: str | None = None
    account: str | None = None
    when: Callable[[Mapping[str, Any]], bool] | None = None
    times: int | None = None
    after: int = 0
    matched: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def hits(self) -> int:
        """Return how often the fault happened."""
        beyond = max(0, self.matched - self.after)
        return beyond if self.times is None else min(beyond, self.times)

    def __call__(self, call: ApiCall, proceed: Proceed) -> AWSResponse:
        """Let the fault happen if it is the call's turn."""
        return self.fault(call, proceed) if self._takes(call) else proceed()

    def _takes(self, call: ApiCall) -> bool:
        wanted = {
            "service": self.service,
            "operation": self.operation,
            "region": self.region,
            "account": self.account,
        }
        if any(value not in (None, getattr(call, name)) for name, value in wanted.items()):
            return False
        if self.when is not None and not self.when(call.params):
            return False
        with self._lock:
            before = self.hits
            self.matched += 1
            return self.hits > before


@contextmanager
def inject(  # noqa: PLR0913 - each narrows down the calls that the fault meets
    *,
    fault: Fault,
    service: str | None = None,
    operation: str | None = None,
    region: str | None = None,
    account: str | None = None,
    when: Callable[[Mapping[str, Any]], bool] | None = None,
    times: int | None = None,
    after: int = 0,
) -> Iterator[Injection]:
    """Let a fault happen to matching calls: from the (after + 1)th on, `times` times.

    `service` is boto3's name; `region` is the one that the request is signed for; `when` sees
    the call's parameters. A fault injected later happens first.
    """
    injection = Injection(fault, service, operation, region, account, when, times, after)
    wire.interceptors.insert(0, injection)
    try:
        yield injection
    finally:
        wire.interceptors[:] = [one for one in wire.interceptors if one is not injection]


class RateLimit:
    """ELB's rate limit, which a knob turns on: a bucket an account, Region and generation."""

    CAPACITY = 40
    REFILL_PER_SECOND = 10

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Fill all buckets."""
        self._buckets.clear()

    def __call__(self, call: ApiCall, proceed: Proceed) -> AWSResponse:
        """Throttle ELB's Describe calls once the bucket is empty."""
        limited = call.service in ("elb", "elbv2") and call.operation.startswith("Describe")
        if knobs.elb_rate_limit and limited and not self._take(call):
            return Throttled()(call, proceed)
        return proceed()

    def _take(self, call: ApiCall) -> bool:
        now, key = time.time(), (call.service, call.account, call.region)
        with self._lock:
            tokens, filled_at = self._buckets.get(key, (self.CAPACITY, now))
            tokens = min(self.CAPACITY, tokens + (now - filled_at) * self.REFILL_PER_SECOND)
            self._buckets[key] = (max(tokens - 1, tokens % 1), now)
            return tokens >= 1


def refuse_what_is_not_offered(call: ApiCall, proceed: Proceed) -> AWSResponse:
    """Let the endpoints of services that a Region lacks not resolve."""
    if not knobs.is_offered(call.service, call.region):
        return NotOffered()(call, proceed)
    return proceed()


rate_limit = RateLimit()
wire.interceptors.extend([refuse_what_is_not_offered, rate_limit])


def render_error(call: ApiCall, code: str, message: str, status: int) -> AWSResponse:
    """Return an error as the called service's protocol writes it."""
    kind = "Receiver" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "Sender"
    protocol = call.model.service_model.resolved_protocol
    style = "s3" if call.service == "s3" else protocol
    if style in _XML:
        headers = {"Content-Type": "text/xml"}
        body = _XML[style].format(kind=kind, code=escape(code), message=escape(message))
    elif style in _JSON:
        # The SDK reads the code from any of the three, by protocol and service.
        headers = {
            "Content-Type": _JSON[style],
            "x-amzn-errortype": code,
            "x-amzn-query-error": f"{code};{kind}",
        }
        body = json.dumps({"__type": code, "message": message})
    else:
        raise NotImplementedError(f"no error rendering for protocol {protocol} ({call.service})")
    return AWSResponse(call.url, status, HTTPHeaders.from_dict(headers), MockRawResponse(body))


_QUERY = (
    "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message>"
    "</Error><RequestId>local</RequestId></ErrorResponse>"
)
_XML: Mapping[str, str] = {
    "ec2": (
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>local</RequestID></Response>"
    ),
    "query": _QUERY,
    "rest-xml": _QUERY,
    "s3": (
        "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>local</RequestId></Error>"
    ),
}
_JSON: Mapping[str, str] = {
    "json": "application/x-amz-json-1.0",
    "rest-json": "application/json",
}
