"""`python -m bench plans`: how PostgreSQL carries out every statement that promotions and reads cause, on a filled
database; 1 where one reads a large table from end to end.

The statements are those that a real run leaves in the server's log, explained with the values that they were run with
and, where PostgreSQL would rather reuse it, as the plan for any values.
"""

import argparse
import json
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench.client import Client
from bench.filling import SCHEMAS, fill
from bench.load import names
from bench.local_stack import LocalStack, local_stack
from bench.reading import read_everything
from bench.rounds import pipeline_round
from bench.statements import Statement, log_statements, read_statements, sessions
from bench.telling import Result, parser, run, table, tell

# What grows has more rows than this once the database is filled.
LARGE_ROWS = 10_000
_EXPLAINED = re.compile(r"^\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
# PostgreSQL charges this for making a plan anew: so much for each table, and one more.
_PLANNING_COST = 2.5
_LARGE = """SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace::regnamespace::text = ANY($1) AND reltuples > $2"""
_ROLES = ("promotion", "rules", "executor", "inventory", "notifications", "platform", "ingress")
# Who works in batches, and keeps the plans of what looks up lists of keys.
_BATCHING = {"promotion-promotion", "ingress-promotion", "rules", "executor", "inventory", "notifications"}
Plan = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """A statement with its plan: what is read from end to end of it, which indexes it uses."""

    statement: Statement
    scanned: tuple[str, ...]
    indexes: tuple[str, ...]
    kind: str


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="promotion-bench-") as folder:
        explained, result = _measure(Path(folder), options)
    bad = [each for each in explained if each.scanned]
    unknown = [each for each in explained if each.kind.startswith("not ")]
    rows = [_row(each) for each in explained[: options.top]]
    tell(
        options,
        result,
        [
            table(
                f"the {len(rows)} dearest of {len(explained)} statements, {options.promotions:,} promotions stored",
                ("service", "ms in all", "calls", "plan", "indexes", "statement"),
                rows,
            ),
            table("read from end to end", ("service", "tables", "statement"), [
                (each.statement.application, ", ".join(each.scanned), each.statement.sql) for each in bad
            ]),
            table("not explained", ("service", "why", "statement"), [
                (each.statement.application, each.kind, each.statement.sql[:200]) for each in unknown
            ]),
        ],
    )  # fmt: skip
    if bad or unknown:
        raise SystemExit(1)


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("plans", __doc__)
    made.add_argument("--promotions", type=int, default=1_000_000, help="stored (default 1000000)")
    made.add_argument("--each", type=int, default=2_000, help="promotions whose statements are logged (default 2000)")
    made.add_argument("--calls", type=int, default=10, help="of each GET (default 10)")
    made.add_argument("--top", type=int, default=25, help="how many of the dearest are shown (default 25)")
    return made.parse_args(arguments)


def _measure(folder: Path, options: argparse.Namespace) -> tuple[list[Explained], Result]:
    with local_stack("--processes", kafka=options.kafka, folder=folder) as stack:
        run(_work(stack, options, life="before", logged=False))
        with stack.held():
            rows = run(fill(stack.ready["postgres"], options.promotions))
    with local_stack("--processes", kafka=options.kafka, folder=folder) as stack:
        explained: list[Explained] = run(_work(stack, options, life="after", logged=True))["explained"]
    return explained, {
        "stored": options.promotions,
        "rows": rows,
        "statements": [
            {
                "service": each.statement.application,
                "sql": each.statement.sql,
                "calls": each.statement.calls,
                "total_ms": round(each.statement.total_ms, 1),
                "plan": each.kind,
                "indexes": each.indexes,
                "read_from_end_to_end": each.scanned,
            }
            for each in explained
        ],
    }


async def _work(stack: LocalStack, options: argparse.Namespace, *, life: str, logged: bool) -> Result:
    async with Client(stack) as client:
        await log_statements(client.database, on=logged)
        await client.announce(wanted := names(life, options.each))
        await pipeline_round(client, wanted, label=life, in_flight=options.each)
        if not logged:
            return {}
        await read_everything(client, calls=options.calls)
        known = await sessions(client.database)
        await log_statements(client.database, on=False)
        statements = read_statements(stack.postgres_log, known)
        return {"explained": await _explained(stack, [each for each in statements if _is_ours(each)])}


def _is_ours(statement: Statement) -> bool:
    return statement.application != "" and _EXPLAINED.match(statement.sql) is not None and "." in statement.sql


async def _explained(stack: LocalStack, statements: Sequence[Statement]) -> list[Explained]:
    connection = await asyncpg.connect(
        stack.ready["postgres"], server_settings={"app.organizations": "*", "jit": "off"}, statement_cache_size=0
    )
    try:
        large = {row["relname"] for row in await connection.fetch(_LARGE, list(SCHEMAS), LARGE_ROWS)}
        return [await _explain(connection, each, large) for each in statements]
    finally:
        await connection.close()


async def _explain(connection: asyncpg.Connection, statement: Statement, large: set[str]) -> Explained:
    try:
        async with _undone(connection):
            kind, plan = await _chosen(connection, statement)
    except asyncpg.PostgresError as error:
        return Explained(statement, (), (), f"not explained: {error}")
    nodes = list(_nodes(plan))
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & large
    indexes = {node["Index Name"] for node in nodes if "Index Name" in node}
    return Explained(statement, tuple(sorted(scanned)), tuple(sorted(indexes)), kind)


async def _chosen(connection: asyncpg.Connection, statement: Statement) -> tuple[str, Plan]:
    """Give the plan that is used after a few calls: for the values of each call, or one for any."""
    role = next((name for name in _ROLES if statement.application.endswith(name)), None)
    if role is not None:
        await connection.execute(f"SET LOCAL ROLE promotion_{role}")
    values = f"({', '.join(statement.values)})" if statement.values else ""
    await connection.execute(f"PREPARE explained AS {statement.sql}")
    fitting = await _plan(connection, values, mode="force_custom_plan")
    generic = await _plan(connection, values, mode="force_generic_plan")
    await connection.execute("DEALLOCATE explained")
    tables = sum("Relation Name" in node for node in _nodes(fitting))
    if statement.application in _BATCHING and "unnest(" in statement.sql:
        return "for any values", generic
    if statement.values and generic["Total Cost"] > fitting["Total Cost"] + _PLANNING_COST * (tables + 1):
        return "for its values", fitting
    return "for any values", generic


async def _plan(connection: asyncpg.Connection, values: str, *, mode: str) -> Plan:
    await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
    (row,) = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE explained{values}")
    plan: Plan = json.loads(row[0])[0]["Plan"]
    return plan


@asynccontextmanager
async def _undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _row(each: Explained) -> tuple[object, ...]:
    statement = each.statement
    told = " ".join(statement.sql.split())
    return (
        *(statement.application, round(statement.total_ms), statement.calls, each.kind),
        *(", ".join(each.indexes), told[:120]),
    )
