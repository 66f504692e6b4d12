"""What a run noticed that is not as expected, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

MOST_SHOWN = 20


class Surprises(list[str]):
    """The differences between what was expected and what there is."""

    def check(self, what: str, expected: object, actual: object) -> bool:
        """Note a surprise if two things differ, and return whether they are the same."""
        if expected != actual:
            self.append(f"{what}: expected {expected}, got {actual}")
        return expected == actual

    def conclude(self, console: Console, success: str) -> int:
        """Print the surprises, or that there were none, and return the exit status."""
        if not self:
            console.print(f"[bold green]{success}[/]")
            return 0
        console.print(f"[bold red]{len(self)} surprises:[/]")
        for surprise in self[:MOST_SHOWN]:
            console.print(f"  {surprise}", markup=False)
        return 1
