"""How the demonstration speaks: each line with the seconds since it began; colours only on a terminal."""

import os
import sys
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.resources import HistoryEntry
from studio.cli.output import plain

_STYLE_OF = {"completed": "green", "approved": "cyan", "pending": "yellow", "failed": "red", "rejected": "red"}


class Telling:
    """Prints what happens; knows when it began."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._rich = sys.stdout.isatty()
        self._console = Console(no_color="NO_COLOR" in os.environ, highlight=False)

    def heading(self, line: str) -> None:
        """Begin a part."""
        self._print(f"\n{line}", "bold")

    def step(self, line: str) -> None:
        """Say what is done."""
        self._print(f"{self._seconds()}  {plain(line)}", None)

    def change(self, entry: HistoryEntry) -> None:
        """Say what a promotion has become."""
        line = f"{self._seconds()}    → {entry.status} ({entry.status_reason}) by {entry.actor}: {entry.status_message}"
        self._print(plain(line), _STYLE_OF.get(entry.status))

    def table(self, history: Sequence[HistoryEntry]) -> None:
        """Show a history as a table."""
        rows = [
            (
                str(entry.version),
                entry.at.astimezone().strftime("%H:%M:%S.%f")[:-3],
                entry.status.value,
                entry.status_reason.value,
                entry.actor,
                plain(entry.status_message),
            )
            for entry in history
        ]
        titles = ("#", "at", "status", "reason", "by", "what it means")
        if not self._rich:
            for row in (titles, *rows):
                print("\t".join(row), flush=True)
            return
        table = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(cell, style=_STYLE_OF.get(row[2], "")) for cell in row))
        self._console.print(table)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:7.2f} s"

    def _print(self, line: str, style: str | None) -> None:
        if self._rich:
            self._console.print(Text(line, style=style or ""))
        else:
            print(line, flush=True)
