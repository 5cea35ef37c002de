"""How results are told: tables on the terminal, one JSON object, a chart in a file. It measures nothing."""

import argparse
import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench.machine import machine

Result = dict[str, Any]


def parser(suite: str, about: str | None, *, kafka: str | None = "embedded") -> argparse.ArgumentParser:
    """Make the parser of a suite with what all suites understand."""
    made = argparse.ArgumentParser(prog=f"bench {suite}", description=(about or "").partition("\n")[0])
    if kafka is not None:
        made.add_argument("--kafka", choices=("embedded", "apache"), default=kafka, help=f"default {kafka}")
    made.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    made.add_argument("--plot", metavar="FILE", type=Path, help="also write a chart, as SVG")
    return made


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a measurement on the event loop that the services run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def tell(options: argparse.Namespace, result: Result, tables: Sequence[Table], chart: str | None = None) -> None:
    """Print a result as was asked, and write its chart where one was asked for."""
    result = {**result, "machine": machine()}
    if options.plot is not None and chart is not None:
        options.plot.write_text(chart)
    if options.json:
        print(json.dumps(result))
        return
    console = Console()
    console.print(*tables, sep="\n")
    here = result["machine"]
    console.print(
        f"{here['at']}, {here['cores']} × {here['processor']}, {here['memory_gb']} GB, "
        f"Python {here['python']} ({here['interpreter']})"
    )


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Make a table whose first column names and whose others count."""
    made = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        made.add_column(column, justify="right" if place else "left")
    for row in rows:
        made.add_row(*(_told(value) for value in row))
    return made


def costs(cpu_ms_each: Mapping[str, float]) -> list[tuple[str, float]]:
    """Give the rows of a table of processor time by process, dearest first, and the sum."""
    dearest = sorted(cpu_ms_each.items(), key=lambda item: -item[1])
    return [*dearest, ("together", sum(cpu_ms_each.values()))]


def _told(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
