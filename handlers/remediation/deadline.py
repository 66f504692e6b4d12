"""The moment by which an invocation must have reported."""

import math
import time
from dataclasses import dataclass, field
from typing import Self

from aws_lambda_powertools.utilities.typing import LambdaContext

from models.errors import TransientError

# What the report after the last scan or delete needs.
REPORT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which an invocation must have reported; `inf` outside of Lambda."""

    at: float = field(default=math.inf)

    @classmethod
    def of(cls, context: LambdaContext) -> Self:
        """Return the deadline of a Lambda invocation."""
        return cls(time.monotonic() + context.get_remaining_time_in_millis() / 1000)

    def seconds_left(self) -> float | None:
        """Return the seconds left to work in, without those the report needs; None is no limit.

        Raises:
            TransientError: there are none.
        """
        if math.isinf(self.at):
            return None
        left = self.at - time.monotonic() - REPORT_SECONDS
        if left <= 0:
            raise TransientError("no time left in this invocation")
        return left
