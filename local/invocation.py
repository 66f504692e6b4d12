"""An invocation in a process of its own, and a server that tells how far it has come.

So that a test can kill one for real, at any call it makes: from outside, with SIGKILL.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.context import ForkServerProcess
from typing import Any
from unittest.mock import patch

from botocore.handlers import BUILTIN_HANDLERS
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from local.aws import LocalAwsError
from local.endpoints import refuse_foreign_endpoints

HEADER = "X-Local-Operation"
LONGEST_WAIT_SECONDS = 60

StartResponse = Callable[..., Any]
Application = Callable[[StartResponse], Iterable[bytes]]


class Moment(StrEnum):
    """When a call is stopped."""

    BEFORE = "before its effect"
    AFTER = "after its effect"


@dataclass(frozen=True, slots=True)
class Answered:
    """A call of an invocation that the server answered."""

    operation: str
    status: int


@dataclass
class Watch:
    """What the server sees of invocations, and the call that it stops.

    Attributes:
        operation: the operation whose first call is stopped, such as `iam.GetServerCertificate`.
        moment: whether it is stopped before or after it takes effect.
        answered: the calls that took effect, in order.
    """

    operation: str | None = None
    moment: Moment = Moment.BEFORE
    answered: list[Answered] = field(default_factory=list)
    _reached: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)

    def kill_when_reached(self, process: ForkServerProcess) -> None:
        """Wait until the call is stopped, kill the process, and let the call go on to nobody.

        Raises:
            LocalAwsError: the process ended or took too long, without that call.
        """
        try:
            if not self._reached.wait(LONGEST_WAIT_SECONDS):
                raise LocalAwsError(f"no call of {self.operation}")
            process.kill()
            process.join()
        finally:
            self._released.set()

    def answer(self, operation: str, start: StartResponse, answer: Application) -> Iterable[bytes]:
        """Answer a call, or stop it."""
        stops = operation == self.operation and not self._reached.is_set()
        if stops and self.moment is Moment.BEFORE:
            self._stop()
            start("503 Service Unavailable", [])
            return [b""]
        body = b"".join(answer(self._note_status(operation, start)))
        if stops:
            self._stop()
        return [body]

    def _note_status(self, operation: str, start: StartResponse) -> StartResponse:
        def note(status: str, *others: Any) -> Any:
            self.answered.append(Answered(operation, int(status.split(maxsplit=1)[0])))
            return start(status, *others)

        return note

    def _stop(self) -> None:
        self._reached.set()
        self._released.wait(LONGEST_WAIT_SECONDS)


@contextmanager
def watch_server(operation: str | None = None, moment: Moment = Moment.BEFORE) -> Iterator[Watch]:
    """Watch what invocations call of the local server, and stop the first call of an operation."""
    watch = Watch(operation, moment)
    original = DomainDispatcherApplication.__call__

    def call(app: Any, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        called = environ.get(f"HTTP_{HEADER.upper().replace('-', '_')}")
        if called is None:
            answer: Iterable[bytes] = original(app, environ, start)
            return answer
        return watch.answer(called, start, lambda noting: original(app, environ, noting))

    with patch.object(DomainDispatcherApplication, "__call__", call):
        yield watch


def start_invocation(event: Mapping[str, Any], environment: Mapping[str, str]) -> ForkServerProcess:
    """Start the remediation handler with an event, in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    # Python and the libraries are loaded once, in the process that all of these are forked from.
    context.set_forkserver_preload([__name__, "handlers.remediate"])
    process = context.Process(target=_invoke, args=(event, dict(environment)), daemon=True)
    process.start()
    return process


def _invoke(event: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    refuse_foreign_endpoints(environment)
    os.environ.clear()
    os.environ.update(environment)
    # Before the first session exists, so that all of them take it over.
    BUILTIN_HANDLERS.append(("before-call", _announce))
    from handlers.remediate import handler  # noqa: PLC0415 - it reads its variables when it is run

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 1)
    handler(event, None)


def _announce(params: dict[str, Any], model: Any, **_: object) -> None:
    params["headers"][HEADER] = f"{model.service_model.service_name}.{model.name}"
