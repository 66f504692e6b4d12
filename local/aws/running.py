"""What runs for as long as a `with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Self


class Running(ABC):
    """Something whose `with` block is one generator, from its start to its end."""

    @abstractmethod
    def _run(self) -> Iterator[None]:
        """Start, yield once, and end."""

    def __enter__(self) -> Self:
        self._block: AbstractContextManager[None] = contextmanager(self._run)()
        self._block.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._block.__exit__(kind, error, traceback)
