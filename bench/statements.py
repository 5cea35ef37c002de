"""The statements that a server has run, with the values they were run with, read from its own log."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

# One entry of the log: when, whose session, how grave, what; further lines of it begin with a tab.
_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \w+ \[(?P<pid>\d+)\] \S* ?(?P<kind>[A-Z]+\d?):  (?P<told>.*)$")
_EXECUTED = re.compile(r"duration: (?P<took>[\d.]+) ms  (?:execute|bind) [^:]*: (?P<sql>.*)", re.DOTALL)
_VALUE = re.compile(r"\$\d+ = (NULL|'(?:[^']|'')*')")
_ON = "log_min_duration_statement = 0"


@dataclass(slots=True)
class Statement:
    """One statement: who ran it, how often, the longest lists of values that it was run with."""

    application: str
    sql: str
    calls: int = 0
    total_ms: float = 0.0
    values: Sequence[str] = field(default_factory=tuple)


async def log_statements(connection: asyncpg.Connection, *, on: bool) -> None:
    """Have the server log every statement of every session, or no more."""
    await connection.execute(f"ALTER SYSTEM SET {_ON}" if on else "ALTER SYSTEM RESET log_min_duration_statement")
    await connection.execute("SELECT pg_reload_conf()")


async def sessions(connection: asyncpg.Connection) -> dict[int, str]:
    """Name the sessions by process id."""
    rows = await connection.fetch("SELECT pid, application_name FROM pg_stat_activity WHERE datname IS NOT NULL")
    return {row["pid"]: row["application_name"] for row in rows}


def read_statements(log: Path, names: Mapping[int, str]) -> list[Statement]:
    """Give each different statement of the sessions in `names`, dearest first."""
    found: dict[tuple[str, str], Statement] = {}
    last: Statement | None = None
    for pid, kind, told in _entries(log):
        name = names.get(pid)
        if kind == "DETAIL" and last is not None and told.startswith("Parameters: "):
            values = _VALUE.findall(told)
            if sum(map(len, values)) > sum(map(len, last.values)):
                last.values = values
        executed = _EXECUTED.match(told) if kind == "LOG" and name is not None else None
        if kind == "LOG":
            last = None
        if executed is None or name is None:
            continue
        sql = executed["sql"]
        last = found.setdefault((name, sql), Statement(name, sql))
        last.calls += 1
        last.total_ms += float(executed["took"])
    return sorted(found.values(), key=lambda each: -each.total_ms)


def _entries(log: Path) -> Iterator[tuple[int, str, str]]:
    pid, kind, told = 0, "", ""
    for line in log.read_text(errors="replace").splitlines():
        begun = _ENTRY.match(line)
        if begun is None:
            told += "\n" + line.removeprefix("\t")
            continue
        if kind:
            yield pid, kind, told
        pid, kind, told = int(begun["pid"]), begun["kind"], begun["told"]
    if kind:
        yield pid, kind, told
