"""How answers are shown: a table for people, tab-separated lines where nobody looks, JSON and YAML as the API gave it.

Identifiers are never cut; text from elsewhere never reaches the terminal as control characters.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.cli.options import Format

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its title, and the field or function that gives its value."""

    title: str
    value: str | Callable[[Row], Any]

    def of(self, row: Row) -> str:
        """Give the column's text for ``row``."""
        return plain(self.value(row) if callable(self.value) else row.get(self.value))


def plain(value: Any) -> str:
    """Write ``value`` on one line, without control characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else " " for character in str(value))


def show_rows(rows: Sequence[Row], columns: Sequence[Column], output: Format, *, whole: Any = None) -> None:
    """Show a list; ``whole`` is what JSON and YAML show where that is more than the rows."""
    if output != "table":
        show_document(list(rows) if whole is None else whole, output)
    elif sys.stdout.isatty():
        _show_table(rows, columns)
    else:
        for row in rows:
            print("\t".join(column.of(row) for column in columns))


def show_one(row: Row, columns: Sequence[Column], output: Format) -> None:
    """Show one thing, a line for each column."""
    if output != "table":
        show_document(row, output)
        return
    width = max(len(column.title) for column in columns)
    for column in columns:
        separator = " " * (width - len(column.title) + 2) if sys.stdout.isatty() else "\t"
        print(f"{column.title}{separator}{column.of(row)}")


def note(line: str) -> None:
    """Say something beside the answer."""
    print(line, file=sys.stderr, flush=True)


def show_document(document: Any, output: Format) -> None:
    """Show a whole answer as JSON or YAML."""
    if output == "json":
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    import yaml

    print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), end="")


def _show_table(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_identifier = column.title.endswith("ID")
        table.add_column(column.title, overflow="fold", no_wrap=is_identifier)
    for row in rows:
        table.add_row(*(Text(column.of(row)) for column in columns))
    console = Console(no_color="NO_COLOR" in os.environ)
    narrowest = Measurement.get(console, console.options, table).minimum
    console.width = max(console.width, narrowest)
    console.print(table)
