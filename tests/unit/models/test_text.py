"""Text that must fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import ELLIPSIS, fingerprint, fit_list, fit_sentences, fit_words

# Room for what ends a list that was cut: '; and 25 more [0123abcd]'.
list_limits = st.integers(min_value=64, max_value=600)
items = st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=25)


class TestWords:
    """One text."""

    @given(st.text(max_size=300), st.integers(min_value=1, max_value=300))
    def test_fits(self, text: str, limit: int) -> None:
        """A text is never longer than its limit, and unchanged if it fits."""
        fitted = fit_words(text, limit)
        assert len(fitted) <= limit
        assert (fitted == text) == (len(text) <= limit)

    @given(st.text(max_size=300), st.integers(min_value=1, max_value=300))
    def test_only_its_end_is_missing(self, text: str, limit: int) -> None:
        """What is left of a text is its beginning, and an ellipsis shows that there was more."""
        fitted = fit_words(text, limit)
        if len(text) > limit:
            assert fitted.endswith(ELLIPSIS)
            assert text.startswith(fitted.removesuffix(ELLIPSIS))

    def test_cuts_between_words(self) -> None:
        """A text is cut between words, without a comma before the ellipsis."""
        assert fit_words("one, two, three", 12) == "one, two…"

    def test_cuts_a_word_that_is_too_long(self) -> None:
        """A word that takes more than half of the room is cut itself."""
        assert fit_words("a " + "b" * 20, 10) == "a bbbbbbb…"


class TestList:
    """Several items."""

    @given(items, list_limits)
    def test_fits(self, given_items: list[str], limit: int) -> None:
        """A list is never longer than its limit, and whole if it fits."""
        fitted = fit_list(given_items, limit)
        whole = "; ".join(given_items)
        assert len(fitted) <= limit
        assert (fitted == whole) == (len(whole) <= limit)

    @pytest.mark.parametrize(
        ("given_items", "limit", "shown"),
        [
            (["aa", "bb"], 6, "aa; bb"),
            (["aaaa", "bbbb", "c" * 20], 22, "aaaa; bbbb; and 1 more"),
            (["aaaa", "bbbb", "c" * 20], 21, "aaaa; and 2 more"),
            (["aaaa", "b" * 30], 16, "aaaa; and 1 more"),
            (["a" * 30, "b" * 30], 22, "aaaaaaaaa…; and 1 more"),
            (["a" * 30], 22, "a" * 21 + "…"),
        ],
    )
    def test_shows_as_many_as_fit(self, given_items: list[str], limit: int, shown: str) -> None:
        """As many items as fit are shown whole, and the others are counted."""
        assert fit_list(given_items, limit) == shown

    @given(items, list_limits)
    def test_mark_ends_a_list_that_was_cut(self, given_items: list[str], limit: int) -> None:
        """A mark stands at the end of a list that was cut, and only there."""
        fitted = fit_list(given_items, limit, mark=" [0123abcd]")
        assert len(fitted) <= limit
        if len("; ".join(given_items)) > limit:
            assert fitted.endswith(" [0123abcd]")
        else:
            assert fitted == "; ".join(given_items)

    def test_counts_what_it_leaves_out(self) -> None:
        """As many items as fit are shown, and the rest is counted."""
        assert fit_list(["one", "two", "three", "four"], 20) == "one; two; and 2 more"

    def test_shows_the_start_of_an_item_that_is_too_long(self) -> None:
        """A first item that does not fit is cut, and the others are counted."""
        fitted = fit_list(["a" * 100, "b"], 40)
        assert fitted == "a" * 27 + "…; and 1 more"

    def test_no_items(self) -> None:
        """A list without items is an empty text."""
        assert fit_list([], 64) == ""

    @given(items)
    def test_fingerprints_differ(self, given_items: list[str]) -> None:
        """Lists that differ have fingerprints that differ."""
        assert fingerprint(given_items) == fingerprint(tuple(given_items))
        assert fingerprint(given_items) != fingerprint([*given_items, "one more"])
        assert len(fingerprint(given_items)) == 8


class TestSentences:
    """Several sentences, the first of which matters most."""

    @given(items, st.integers(min_value=1, max_value=600))
    def test_fits(self, sentences: list[str], limit: int) -> None:
        """Sentences are never longer than their limit, and all there if they fit."""
        fitted = fit_sentences(sentences, limit)
        assert len(fitted) <= limit
        if len(" ".join(sentences)) <= limit:
            assert fitted == " ".join(sentences)

    @given(items, st.integers(min_value=1, max_value=600))
    def test_starts_with_the_first(self, sentences: list[str], limit: int) -> None:
        """The first sentence is always there, cut only if it does not fit alone."""
        assert fit_sentences(sentences, limit).startswith(fit_words(sentences[0], limit))

    def test_leaves_out_what_does_not_fit_whole(self) -> None:
        """A later sentence is never cut: it is there or it is not."""
        assert fit_sentences(["One.", "A long second.", "Two."], 9) == "One. Two."
        assert fit_sentences(["One.", "A long second.", "Two."], 8) == "One."
