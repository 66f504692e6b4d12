"""A page in a terminal: a table where there is room, else each row over its own text."""

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from cli.pages import Cell, Column, Page, Table, Tone

# Below, a column of text would be too narrow to be read.
TABLE_WIDTH = 120
STYLES: Mapping[Tone, str] = {
    Tone.ACT: "bold red",
    Tone.WARN: "yellow",
    Tone.KEEP: "cyan",
    Tone.GOOD: "green",
}
NAME_WIDTH = 40


def show_page(page: Page, console: Console) -> None:
    """Print a page: its summary, what it is based on, and its first table."""
    console.print(Text(page.summary, style="bold"), soft_wrap=False)
    for warning in page.warnings:
        console.print(Text(warning, style="yellow"))
    console.print()
    console.print(_lay_out(page.tables[0], console.width))
    for label, value in page.facts:
        console.print(Text(f"{label}: {value}"))


def _lay_out(table: Table, width: int) -> RenderableType:
    if not table.rows:
        return Group(Text(table.empty), Text())
    if width >= TABLE_WIDTH:
        return _compose_table(table)
    return Group(*_stack_rows(table))


def _compose_table(table: Table) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1))
    for column in table.columns:
        shown.add_column(
            column.heading,
            ratio=1 if column.is_wide else None,
            overflow="fold",
            max_width=None if column.is_wide else NAME_WIDTH,
        )
    for row in table.rows:
        shown.add_row(
            *(_style(cell, column) for cell, column in zip(row, table.columns, strict=True))
        )
    return shown


def _stack_rows(table: Table) -> Iterator[RenderableType]:
    short = [index for index, column in enumerate(table.columns) if not column.is_wide]
    long = [index for index, column in enumerate(table.columns) if column.is_wide]
    widths = [_measure(table, index) for index in short]
    yield _align([Text(table.columns[i].heading, style="bold") for i in short], widths)
    for row in table.rows:
        yield _align([_style(row[i], table.columns[i]) for i in short], widths)
        for index in long:
            if row[index].text:
                yield Padding(_style(row[index], table.columns[index]), (0, 0, 0, 4))
    yield Text()


def _align(cells: Sequence[Text], widths: Sequence[int]) -> RichTable:
    line = RichTable.grid(padding=(0, 2, 0, 0))
    for width in widths:
        line.add_column(width=width, overflow="fold")
    line.add_row(*cells)
    return line


def _measure(table: Table, index: int) -> int:
    texts = [table.columns[index].heading, *(row[index].lines[0] for row in table.rows)]
    return min(max(map(len, texts)), NAME_WIDTH)


def _style(cell: Cell, column: Column) -> Text:
    lines = cell.lines if column.is_wide else cell.lines[:1]
    return Text("\n".join(lines), style=STYLES[cell.tone] if cell.tone else "")
