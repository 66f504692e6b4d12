"""The HTML page in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Open
from tests.browser.world import ACCOUNTS, EACH

ROWS = "#certificates tbody tr"
TOTAL = len(ACCOUNTS) * EACH


def read_column(page: Page, number: int) -> list[str]:
    texts = page.locator(f"{ROWS} td:nth-child({number})").all_inner_texts()
    return [text.split("\n")[0] for text in texts]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessible(show: Open, scheme: str, width: int) -> None:
    """Nothing is found by axe, in the light and in the dark, on a telephone and on a desk."""
    found = Axe().run(show(width=width, color_scheme=scheme))
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_fits(show: Open, width: int) -> None:
    """The page itself never scrolls sideways."""
    page = show(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_sort_by_mouse(show: Open) -> None:
    """A click on a heading sorts by it, and the next one the other way round."""
    page = show()
    for number, heading in enumerate(("Account", "Certificate", "Expires", "Outcome", "Why"), 1):
        button = page.locator("#certificates th").get_by_role("button", name=heading)
        button.click()
        ascending = read_column(page, number)
        assert page.locator("#certificates th[aria-sort=ascending]").count() == 1
        button.click()
        assert read_column(page, number) == ascending[::-1]
        assert page.locator("#certificates th[aria-sort=descending]").inner_text() == heading
    assert len(read_column(page, 1)) == TOTAL


def test_sort_by_keyboard(show: Open) -> None:
    """The headings can be reached and pressed with the keyboard."""
    page = show()
    page.locator("#certificates th").get_by_role("button", name="Expires").focus()
    page.keyboard.press("Enter")
    assert read_column(page, 3) == sorted(read_column(page, 3))


def test_filter(show: Open) -> None:
    """Words leave the rows that have all of them, and how many is told."""
    page = show()
    page.get_by_label("Filter certificates").fill(f"{ACCOUNTS[0]} certificate-07")
    assert page.locator(f"{ROWS}:visible").count() == 1
    assert page.locator("section:has(#certificates) [role=status]").inner_text() == (
        f"1 of {TOTAL} shown"
    )
    page.get_by_label("Filter certificates").fill("")
    assert page.locator(f"{ROWS}:visible").count() == TOTAL


def test_print(show: Open) -> None:
    """On paper every row is there, whatever is filtered, and no control."""
    page = show()
    page.get_by_label("Filter certificates").fill("certificate-07")
    page.emulate_media(media="print")
    assert page.locator(f"{ROWS}:visible").count() == TOTAL
    assert page.locator(".controls:visible").count() == 0


def test_nothing_runs(show: Open) -> None:
    """A script in the value of a tag is text."""
    page = show()
    assert page.title() == "What IAM.26 remediation would do"
    assert "document.title" in page.locator("#certificates").inner_text()


def test_without_script(show: Open) -> None:
    """Without JavaScript every row is there, and no control that would do nothing."""
    page = show(java_script_enabled=False)
    assert page.locator(f"{ROWS}:visible").count() == TOTAL
    assert page.locator(".controls:visible").count() == 0
