"""Debian's Chromium, and pages in it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cli.html import render_html
from tests.browser.world import make_world_page

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Chromium; without it these tests fail, for nothing else would show what they show."""
    path = shutil.which("chromium")
    assert path, "Chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open the page of three accounts; in the end, check what it asked for and said."""
    contexts: list[Any] = []
    said: list[str] = []
    requested: list[str] = []
    file = tmp_path / "plan.html"
    file.write_text(render_html(make_world_page()), encoding="utf-8")

    def open_page(*, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: requested.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert set(requested) == {file.as_uri()}
