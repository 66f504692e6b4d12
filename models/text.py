"""Text that must fit where AWS limits its length."""

import hashlib
from collections.abc import Sequence

ELLIPSIS = "…"


def fit_words(text: str, limit: int) -> str:
    """Return `text` in at most `limit` characters, cut between words where there are any."""
    if len(text) <= limit:
        return text
    kept = text[: limit - len(ELLIPSIS)]
    words, _, _ = kept.rpartition(" ")
    return (words if len(words) > limit // 2 else kept).rstrip(" ,;:") + ELLIPSIS


def fit_list(items: Sequence[str], limit: int, *, mark: str = "") -> str:
    """Return `a; b; and 3 more` in at most `limit` characters; `mark` ends it when it was cut."""
    whole = "; ".join(items)
    if len(whole) <= limit:
        return whole
    for shown in range(len(items) - 1, 0, -1):
        text = f"{'; '.join(items[:shown])}; and {len(items) - shown} more{mark}"
        if len(text) <= limit:
            return text
    rest = f"; and {len(items) - 1} more{mark}" if len(items) > 1 else mark
    return fit_words(items[0], limit - len(rest)) + rest


def fit_sentences(sentences: Sequence[str], limit: int) -> str:
    """Return the first sentence, cut if it must be, and each later one that still fits whole."""
    text = fit_words(sentences[0], limit)
    for sentence in sentences[1:]:
        if len(text) + 1 + len(sentence) <= limit:
            text = f"{text} {sentence}"
    return text


def fingerprint(items: Sequence[str]) -> str:
    """Return eight characters that differ for different lists."""
    return hashlib.sha256("\n".join(items).encode()).hexdigest()[:8]
