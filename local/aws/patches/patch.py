"""The one way moto is changed here: named patches, checked when applied, and reversible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import moto
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

Function = TypeVar("Function", bound=Callable[..., Any])
State = TypeVar("State")
_ABSENT = object()


class ApiError(Exception):
    """An error that a patched operation answers."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class PatchError(RuntimeError):
    """This moto is not the one a patch was written for."""


@dataclass(frozen=True, slots=True)
class Request:
    """One API request as a patched operation sees it."""

    account: str
    region: str
    partition: str
    params: dict[str, Any]
    response: BaseResponse


@dataclass(frozen=True, slots=True)
class _Patch:
    owner: Any
    name: str
    new: Any
    adds: bool

    def read(self) -> Any:
        holder = self.owner if isinstance(self.owner, dict) else vars(self.owner)
        return holder.get(self.name, _ABSENT)

    def write(self, value: Any) -> None:
        if isinstance(self.owner, dict):
            if value is _ABSENT:
                del self.owner[self.name]
            else:
                self.owner[self.name] = value
        elif value is _ABSENT:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, value)

    @property
    def target(self) -> str:
        return f"{getattr(self.owner, '__name__', 'url_paths')}.{self.name}"


class Patch:
    """The corrections to moto for one service."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._patches: list[_Patch] = []
        self._originals: list[Any] | None = None

    def replace(self, owner: Any, name: str) -> Callable[[Function], Function]:
        """Register the decorated function in the place of something moto has."""
        return self._register(owner, name, adds=False)

    def add(self, owner: Any, name: str) -> Callable[[Function], Function]:
        """Register the decorated function as something moto lacks."""
        return self._register(owner, name, adds=True)

    def add_path(self, url_paths: dict[str, Any], path: str, answer: Any) -> None:
        """Register a URL that moto does not route."""
        self._patches.append(_Patch(url_paths, path, answer, adds=True))

    def replace_operation(
        self, response: type[BaseResponse], name: str
    ) -> Callable[[Callable[[Request], Any]], Callable[[Request], Any]]:
        """Register the decorated function as the answer to an operation that moto has."""
        return self._register_operation(response, name, adds=False)

    def add_operation(
        self, response: type[BaseResponse], name: str
    ) -> Callable[[Callable[[Request], Any]], Callable[[Request], Any]]:
        """Register the decorated function as the answer to an operation that moto lacks."""
        return self._register_operation(response, name, adds=True)

    def original(self, owner: Any, name: str) -> Any:
        """Return what a patch stands in front of."""
        for patch, original in zip(self._patches, self._originals or [], strict=False):
            if patch.owner is owner and patch.name == name:
                return original
        raise PatchError(f"the {self.service} patch does not replace {name}")

    def apply(self) -> None:
        """Change moto, or raise PatchError and change nothing; applying twice is applying once."""
        if self._originals is not None:
            return
        for patch in self._patches:
            self._check(patch)
        self._originals = [patch.read() for patch in self._patches]
        for patch in self._patches:
            patch.write(patch.new)

    def undo(self) -> None:
        """Leave moto as it came."""
        if self._originals is None:
            return
        for patch, original in zip(self._patches, self._originals, strict=True):
            patch.write(original)
        self._originals = None

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Run a block against moto as it came."""
        self.undo()
        try:
            yield
        finally:
            self.apply()

    def _check(self, patch: _Patch) -> None:
        exists = patch.read() is not _ABSENT
        if exists == patch.adds:
            trouble = "has it now: the patch can go" if exists else "does not have it"
            raise PatchError(
                f"the {self.service} patch touches {patch.target}, "
                f"but moto {moto.__version__} {trouble}"
            )

    def _register(self, owner: Any, name: str, *, adds: bool) -> Callable[[Function], Function]:
        def register(function: Function) -> Function:
            self._patches.append(_Patch(owner, name, function, adds))
            return function

        return register

    def _register_operation(
        self, response: type[BaseResponse], name: str, *, adds: bool
    ) -> Callable[[Callable[[Request], Any]], Callable[[Request], Any]]:
        def register(function: Callable[[Request], Any]) -> Callable[[Request], Any]:
            def answer(self: BaseResponse) -> ActionResult:
                self.parse_parameters(self.normalized_request)
                request = Request(
                    self.current_account, self.region, self.partition, dict(self.params), self
                )
                try:
                    return ActionResult(function(request) or {})
                except ApiError as error:
                    raise _as_error_of_moto(error, self) from error

            self._patches.append(_Patch(response, camelcase_to_underscores(name), answer, adds))
            return function

        return register


def _as_error_of_moto(error: ApiError, response: BaseResponse) -> ServiceException:
    # moto looks up how to render an error by the service in its class's module.
    module = f"moto.{response.service_name}.exceptions"
    kind = type("ApiError", (ServiceException,), {"__module__": module})
    return cast("ServiceException", kind(error.code, error.message))


def state_of(backend: Any, state: type[State]) -> State:
    """Return a patch's own data about one account and Region, which moto's reset also clears."""
    slot: State = vars(backend).setdefault(f"_local_{state.__name__}", state())
    return slot


def take_page(
    items: Sequence[Any], token: str | None, size: int | None, default: int
) -> tuple[list[Any], str | None]:
    """Return one page of a list, and the token of the next one if there is more."""
    start = int(token or 0)
    end = start + (size or default)
    return list(items[start:end]), str(end) if end < len(items) else None
