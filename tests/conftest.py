"""What all tests share."""

import functools
from collections.abc import Iterator
from typing import Any

import botocore.client
import botocore.session
import pytest


@pytest.fixture(scope="session", autouse=True)
def service_models_parsed_once() -> Iterator[None]:
    """Parse botocore's service models once a test session: each new session would do it anew."""
    with pytest.MonkeyPatch.context() as patch:
        cached = functools.cache(botocore.session.create_loader)
        patch.setattr(botocore.session, "create_loader", cached)
        yield


@pytest.fixture(scope="session", autouse=True)
def client_classes_made_once() -> Iterator[None]:
    """Make the class of a service's clients once a test session: each new client would do it anew.

    A class holds nothing but a method per operation; what a client is configured with, signs with
    and counts is its instance's.
    """
    classes: dict[str, type] = {}
    creator: Any = botocore.client.ClientCreator
    make = creator._create_client_class

    def make_once(self: Any, service_name: str, service_model: Any) -> type:
        if service_name not in classes:
            classes[service_name] = make(self, service_name, service_model)
        return classes[service_name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(creator, "_create_client_class", make_once)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, such as how much an exhaustive one has tried."""
    for report in terminalreporter.getreports("passed"):
        for what, figure in report.user_properties:
            terminalreporter.write_line(f"{figure:,} {what}")
