"""The answer, written whole or not at all."""

import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cli.arguments import Options
from cli.errors import CommandError
from cli.html import render_html
from cli.pages import Page
from cli.terminal import show_page

# A spreadsheet takes a cell that begins so for a formula; names of certificates may.
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
# Where nobody looks, there is no width to fit.
FILE_WIDTH = 120


def check_target(path: Path | None) -> None:
    """Check, before anything is looked at, that the answer can be written in the end.

    Raises:
        CommandError: it cannot.
    """
    if path is None:
        return
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise CommandError(f"--file: {path} cannot be written")


def write_answer(text: str, path: Path | None) -> None:
    """Write an answer to a file, or to the standard output.

    Raises:
        CommandError: the file cannot be written; what was there before still is.
    """
    if path is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        _replace_file(path, text)
    except OSError as error:
        raise CommandError(f"--file: {path} cannot be written: {error.strerror}") from error


def _replace_file(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.close()
            Path(file.name).chmod(0o666 & ~_read_umask())
            Path(file.name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(file.name).unlink()
            raise


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found out, for every form that it can be written in.

    Attributes:
        document: the whole of it, as JSON.
        columns: the columns of the CSV.
        rows: its rows, each with a value for every column.
        page: what is shown to a reader.
    """

    document: object
    columns: Sequence[str]
    rows: Iterable[Mapping[str, object]]
    page: Page


def render_answer(answer: Answer, options: Options) -> str:
    """Return an answer in the form that was asked for."""
    match options.output:
        case "json":
            return render_json(answer.document)
        case "csv":
            return render_csv(answer.columns, answer.rows)
        case "html":
            return render_html(answer.page)
        case _:
            return render_table(answer.page, to_file=options.file is not None)


def render_json(answer: object) -> str:
    """Return an answer as JSON."""
    return f"{json.dumps(answer, indent=2, ensure_ascii=False)}\n"


def render_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV; a list is joined with `; `, and nothing is taken for a formula."""
    written = io.StringIO()
    writer = csv.DictWriter(written, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _render_value(row[name]) for name in columns})
    return written.getvalue()


def _render_value(value: object) -> str:
    if value is None:
        return ""
    text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text


def render_table(page: Page, *, to_file: bool) -> str:
    """Return a page as it is shown in this terminal, or in a file."""
    width = FILE_WIDTH if to_file else None
    console = Console(file=None, highlight=False, emoji=False, markup=False, width=width)
    with console.capture() as captured:
        show_page(page, console)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
