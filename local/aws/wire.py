"""Where every request that boto3 sends passes through while the local AWS is on."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit

import moto.core.models
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.handlers import BUILTIN_HANDLERS
from botocore.httpsession import URLLib3Session

from local.aws.endpoints import ForeignEndpointError, is_this_machine
from local.aws.patches.accounts import find_account

if TYPE_CHECKING:
    from botocore.model import OperationModel

Proceed = Callable[[], AWSResponse]
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request as it goes out; a retry is another one."""

    service: str
    operation: str
    region: str
    account: str
    user_agent: str = field(compare=False, repr=False)
    params: Mapping[str, Any] = field(compare=False, repr=False)
    url: str = field(compare=False, repr=False)
    model: OperationModel = field(compare=False, repr=False)


Interceptor = Callable[[ApiCall, Proceed], AWSResponse]


class Recording(list[ApiCall]):
    """The calls that went out, in order."""

    def named(self, operation: str) -> list[ApiCall]:
        """Return the calls of one operation."""
        return [call for call in self if call.operation == operation]


class _Wire:
    """The chain a request passes: recordings, then interceptors, then whoever answers."""

    def __init__(self) -> None:
        self.interceptors: list[Interceptor] = []
        self.recordings: list[Recording] = []
        self.active = False
        self._being_built = threading.local()

    def remember(
        self, event_name: str, params: Mapping[str, Any], model: OperationModel, **_: Any
    ) -> None:
        """Keep what botocore no longer tells when it sends the request."""
        if self.active:
            key = event_name.partition(".")[2]
            vars(self._being_built)[key] = (dict(params), model)

    def answer(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """Answer a request, or return None to let botocore send it as ever."""
        if not self.active:
            return moto.core.models.botocore_stubber(event_name, request)
        call = self._describe(event_name, request)
        for recording in self.recordings:
            recording.append(call)

        def proceed_from(position: int) -> AWSResponse:
            if position == len(interceptors):
                return _send(event_name, request)
            return interceptors[position](call, lambda: proceed_from(position + 1))

        interceptors = tuple(self.interceptors)
        return proceed_from(0)

    def _describe(self, event_name: str, request: AWSPreparedRequest) -> ApiCall:
        params, model = vars(self._being_built)[event_name.partition(".")[2]]
        credential = _CREDENTIAL.search(_read_header(request, "Authorization"))
        return ApiCall(
            service=str(model.service_model.service_name),
            operation=model.name,
            region=credential["region"] if credential else "",
            account=find_account(credential["key"] if credential else ""),
            user_agent=_read_header(request, "User-Agent"),
            params=params,
            url=request.url,
            model=model,
        )


def _read_header(request: AWSPreparedRequest, name: str) -> str:
    value = request.headers.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def _send(event_name: str, request: AWSPreparedRequest) -> AWSResponse:
    answer = moto.core.models.botocore_stubber(event_name, request)
    if answer is not None:
        return answer
    host = urlsplit(request.url).hostname
    if not is_this_machine(host):
        raise ForeignEndpointError(f"refused to send {event_name} to {host}: not on this machine")
    return http_session().send(request)


@cache
def http_session() -> URLLib3Session:
    """Return the connections to the local server."""
    return URLLib3Session(max_pool_connections=50)


wire = _Wire()


def _take_over_from_moto() -> None:
    # botocore asks every handler before it looks at any answer. A second handler in front of
    # moto's could therefore not keep moto from acting, so ours stands in its place.
    theirs = ("before-send", moto.core.models.botocore_stubber)
    BUILTIN_HANDLERS[BUILTIN_HANDLERS.index(theirs)] = ("before-send", wire.answer)
    BUILTIN_HANDLERS.append(("before-parameter-build", wire.remember))


_take_over_from_moto()


@contextmanager
def record_calls() -> Iterator[Recording]:
    """Yield a list that grows by every request sent."""
    recording = Recording()
    wire.recordings.append(recording)
    try:
        yield recording
    finally:
        wire.recordings[:] = [one for one in wire.recordings if one is not recording]


@contextmanager
def skip_backoff() -> Iterator[list[float]]:
    """Let botocore retry without waiting, and yield the list of waits that it skipped."""
    waits: list[float] = []

    class _Clock:
        sleep = staticmethod(waits.append)

    with patch("botocore.endpoint.time", _Clock):
        yield waits
