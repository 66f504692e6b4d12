"""The moment by which an invocation must have reported."""

import math
import time
from dataclasses import dataclass, field
from typing import Any, Self

from models.errors import TransientError

# What the report after the last scan or delete needs.
REPORT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which an invocation must have reported; `inf` outside of Lambda."""

    at: float = field(default=math.inf)

    @classmethod
    def of(cls, context: Any) -> Self:
        """Give the deadline of a Lambda invocation; a context that knows none has none."""
        read = getattr(context, "get_remaining_time_in_millis", None)
        left = read() if callable(read) else None
        return cls(time.monotonic() + left / 1000) if isinstance(left, int | float) else cls()

    def seconds_left(self) -> float | None:
        """Give the seconds left to work in, without those the report needs; None is no limit.

        Raises:
            TransientError: there are none.
        """
        if math.isinf(self.at):
            return None
        left = self.at - time.monotonic() - REPORT_SECONDS
        if left <= 0:
            raise TransientError("no time left in this invocation")
        return left
