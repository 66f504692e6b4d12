"""What is shown, whatever it is shown in: a heading, facts, counts, and tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

K = TypeVar("K")


class Tone(StrEnum):
    """How urgent something is."""

    ACT = "act"
    WARN = "warn"
    KEEP = "keep"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes:
        lines: what stands in it, line by line.
        key: what it is sorted by; its text by default.
        tone: how urgent it is; None where that does not matter.
    """

    lines: tuple[str, ...]
    key: str = ""
    tone: Tone | None = None

    @property
    def text(self) -> str:
        """Its lines as one."""
        return "; ".join(self.lines)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        heading: what it says.
        is_wide: whether it takes the room that the others leave.
    """

    heading: str
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        id: its name within the page.
        heading: what it shows.
        columns: its columns.
        rows: its rows, each with as many cells as there are columns.
        empty: what is said instead where it has no rows.
    """

    id: str
    heading: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many certificates come to one outcome.

    Attributes:
        number: how many.
        label: what the outcome is called.
        tone: how urgent it is.
    """

    number: int
    label: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is shown.

    Attributes:
        title: what it is.
        generated_at: when it was looked at (UTC).
        summary: the answer in a sentence or two.
        counts: the same in numbers.
        facts: what it is based on: a label and a value each.
        warnings: what a reader must know before the tables.
        tables: the details.
    """

    title: str
    generated_at: datetime
    summary: str
    counts: tuple[Count, ...]
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    warnings: tuple[str, ...] = ()


def format_time(time: datetime) -> str:
    """Return `2026-12-24 06:00 UTC`."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def compose_counts(
    counts: Mapping[K, int], labels: Mapping[K, str], tones: Mapping[K, Tone]
) -> tuple[Count, ...]:
    """Return how many there are of each kind, with what the kind is called."""
    return tuple(Count(number, labels[kind], tones[kind]) for kind, number in counts.items())


def describe_counts(counts: Iterable[Count]) -> str:
    """Return `2 would be deleted, 5 in use`."""
    return ", ".join(f"{count.number} {count.label}" for count in counts)


def say(*lines: str, key: str = "", tone: Tone | None = None) -> Cell:
    """Return a cell with these lines."""
    return Cell(lines, key, tone)
