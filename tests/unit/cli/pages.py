"""Pages to show."""

from typing import Any

from cli.pages import Cell, Column, Count, Page, Table, Tone, say
from tests.builders import NOW

HOSTILE = "<script>document.title = 'run'</script>\"'&amp;</style>]]>\u202e"


def make_page(*rows: tuple[Cell, ...], **overrides: Any) -> Page:
    """Return a page whose table has these rows of two cells."""
    table = Table(
        id="certificates",
        heading="Certificates",
        columns=(Column("Certificate"), Column("Why", is_wide=True)),
        rows=rows,
        empty="There are none.",
    )
    fields: dict[str, Any] = {
        "title": "Plan",
        "generated_at": NOW,
        "summary": "1 would be deleted.",
        "counts": (Count(1, "would be deleted", Tone.ACT),),
        "facts": (("Account", "111122223333"),),
        "tables": (table,),
    }
    return Page(**fields | overrides)


def make_row(name: str, *why: str) -> tuple[Cell, ...]:
    """Return a row about a certificate."""
    return say(name), say(*why, tone=Tone.WARN)
