"""What all tests share."""

import functools
from collections.abc import Iterator

import botocore.session
import pytest


@pytest.fixture(scope="session", autouse=True)
def service_models_parsed_once() -> Iterator[None]:
    """Parse botocore's service models once a test session: each new session would do it anew."""
    with pytest.MonkeyPatch.context() as patch:
        cached = functools.cache(botocore.session.create_loader)
        patch.setattr(botocore.session, "create_loader", cached)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, such as how much an exhaustive one has tried."""
    for report in terminalreporter.getreports("passed"):
        for what, figure in report.user_properties:
            terminalreporter.write_line(f"{figure:,} {what}")
