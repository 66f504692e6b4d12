"""The page as HTML: whole, self-contained, and nothing of it but text."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.html import render_html
from tests.unit.cli.pages import HOSTILE, make_page, make_row

# What no HTML document can carry as it is: a parser turns it into something else.
CARRIED = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


class Reader(HTMLParser):
    """Reads the cells of the tables, the sort keys, and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.keys: list[str | None] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))
        if tag == "td":
            self.keys.append(dict(attrs)["data-key"])
            self.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        """Leave the cell."""
        if tag == "td":
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        """Keep the text of a cell."""
        if self._in_cell:
            self.cells[-1] += data


class TestEscaping:
    """What is shown is text, whatever it looks like."""

    @given(name=CARRIED, why=CARRIED)
    def test_any_text(self, name: str, why: str) -> None:
        """Any text comes back from a cell and its sort key as it was."""
        read = Reader(render_html(make_page(make_row(name, why))))
        assert read.cells == [name, why]
        assert read.keys == [name, why]

    def test_hostile_everywhere(self) -> None:
        """Wherever a text is shown, it brings no tag into the page."""
        plain = Reader(render_html(make_page(make_row("a", "b"), warnings=("c",))))
        page = make_page(
            make_row(HOSTILE, HOSTILE),
            title=HOSTILE,
            summary=HOSTILE,
            facts=((HOSTILE, HOSTILE),),
            warnings=(HOSTILE,),
        )
        hostile = Reader(render_html(page))
        assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]


class TestSelfContained:
    """The page needs nothing else."""

    @pytest.fixture
    def written(self) -> str:
        """Return a page with one row."""
        return render_html(make_page(make_row("web", "nothing refers to it")))

    def test_no_external_resource(self, written: str) -> None:
        """No element and no style refers to anything outside of the page."""
        for tag, attributes in Reader(written).tags:
            assert tag not in {"link", "img", "iframe", "base", "object", "embed"}
            assert not {"src", "href", "srcset", "onclick", "style"} & attributes.keys()
        assert not re.search(r"url\(|@import|https?://", written)

    def test_policy(self, written: str) -> None:
        """The page allows its own style and script by their hashes, and nothing else."""
        [policy] = [
            attributes["content"] or ""
            for tag, attributes in Reader(written).tags
            if attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy

    def test_without_rows(self) -> None:
        """A table without rows says so in words."""
        assert "<p>There are none.</p>" in render_html(make_page())
