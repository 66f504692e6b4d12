"""How often something occurs."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def count_in_order(values: Iterable[T], order: Iterable[T]) -> dict[T, int]:
    """Return how often each value occurs, in an order; what does not occur is left out."""
    counts = Counter(values)
    return {value: counts[value] for value in order if counts[value]}
