"""The deadline: work ends while there is time left to report."""

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from handlers.remediation.deadline import REPORT_SECONDS, Deadline
from models.errors import TransientError
from tests.unit.remediation.conftest import Stopwatch


class Context(LambdaContext):
    """What Lambda tells about an invocation."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return a minute and a half second."""
        return 60_500


def test_outside_of_lambda() -> None:
    """Where nothing ends an invocation there is no limit."""
    assert Deadline().seconds_left() is None


def test_of_an_invocation(stopwatch: Stopwatch) -> None:
    """What Lambda leaves, less what the report needs, is left to work in, and it passes."""
    deadline = Deadline.of(Context())

    assert deadline.seconds_left() == 60.5 - REPORT_SECONDS
    stopwatch.seconds += 20
    assert deadline.seconds_left() == 40.5 - REPORT_SECONDS


@pytest.mark.parametrize("late", [0.0, 1.0, 1000.0])
def test_no_time_left(stopwatch: Stopwatch, late: float) -> None:
    """When only the time for the report is left, what is not done is retried."""
    deadline = Deadline.of(Context())
    stopwatch.seconds += 60.5 - REPORT_SECONDS + late

    with pytest.raises(TransientError, match="no time left"):
        deadline.seconds_left()


def test_a_moment_left(stopwatch: Stopwatch) -> None:
    """Until then work goes on."""
    deadline = Deadline.of(Context())
    stopwatch.seconds += 60.5 - REPORT_SECONDS - 0.25

    assert deadline.seconds_left() == 0.25
