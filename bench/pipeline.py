"""From request to completed: throughput and latency of the whole local stack, checked for lost and doubled work."""

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.load import ORGANIZATION, announcement, request
from bench.local_stack import LocalStack, local_stack
from services.platform.messaging.producer import Publisher
from studio.gateway.records import EffectApplied, read_log
from studio.gateway.state import Created

BATCH = 500
POLL_SECONDS = 0.05
QUIET_SECONDS = 120.0
STATISTICS = """
    SELECT count(*) AS completed, min(created_at) AS first, max(completed_at) AS last,
           percentile_disc(array[0.5, 0.95, 0.99]) WITHIN GROUP
               (ORDER BY extract(epoch FROM completed_at - created_at) * 1000) AS latency_ms
    FROM promotion.promotion WHERE status = 'completed' AND created_by = 'bench'
"""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench pipeline", description=__doc__)
    parser.add_argument("--promotions", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=2_000, help="how many are asked for and not completed at most")
    parser.add_argument("--rate", type=float, help="requests a second, instead of as many as go through")
    parser.add_argument("--one-process", action="store_true", help="all services as tasks of one process")
    parser.add_argument("--kafka", choices=("embedded", "apache"), default="embedded")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    layout = [] if options.one_process else ["--processes"]
    with local_stack(*layout, "--kafka", options.kafka) as stack:
        result = asyncio.run(_measure(stack, options))
    print(json.dumps(result)) if options.json else _show(result)


async def _measure(stack: LocalStack, options: argparse.Namespace) -> dict[str, Any]:
    publisher = Publisher(lambda: str(stack.ready["kafka"]), service="bench", timeout_seconds=30)
    database = await asyncpg.connect(stack.ready["postgres"], server_settings={"app.organizations": "*"})
    names = [f"{number:06d}" for number in range(options.promotions)]
    await _announce(publisher, database, names)
    cpu_before = stack.cpu_seconds()
    await _request(publisher, database, names, options)
    cpu_after = stack.cpu_seconds()
    (statistics,) = await database.fetch(STATISTICS)
    result = {
        "promotions": options.promotions,
        "kafka": options.kafka,
        "layout": "one process" if options.one_process else "processes",
        "per_second": round(statistics["completed"] / (statistics["last"] - statistics["first"]).total_seconds(), 1),
        **{
            f"p{rank}_ms": round(float(value), 1)
            for rank, value in zip((50, 95, 99), statistics["latency_ms"], strict=True)
        },
        "cpu_ms_each": {
            name: round((seconds - cpu_before.get(name, 0)) * 1000 / options.promotions, 3)
            for name, seconds in cpu_after.items()
        },
        "memory_mb": {name: round(value, 1) for name, value in stack.memory_mb().items()},
        **await _checks(stack, database, options.promotions),
    }
    await publisher.close()
    await database.close()
    return result


async def _announce(publisher: Publisher, database: asyncpg.Connection, names: list[str]) -> None:
    for start in range(0, len(names), BATCH):
        await publisher.publish([announcement(name) for name in names[start : start + BATCH]])
    await _until(
        database, "SELECT count(*) FROM inventory.published_deployment WHERE gateway_id = 'gw-development'", len(names)
    )


async def _request(
    publisher: Publisher, database: asyncpg.Connection, names: list[str], options: argparse.Namespace
) -> None:
    query = "SELECT count(*) FROM promotion.promotion WHERE status = 'completed'"
    batch = BATCH if options.rate is None else max(1, round(options.rate * POLL_SECONDS))
    asked, began = 0, time.monotonic()
    while asked < len(names):
        due = len(names) if options.rate is None else int((time.monotonic() - began) * options.rate) + 1
        room = options.in_flight - (asked - await database.fetchval(query))
        if room >= min(batch, len(names) - asked) and due > asked:
            await publisher.publish([request(name) for name in names[asked : asked + batch]])
            asked += batch
        else:
            await asyncio.sleep(POLL_SECONDS if options.rate is None else POLL_SECONDS / 5)
    await _until(database, query, len(names))


async def _until(database: asyncpg.Connection, query: str, wanted: int) -> None:
    seen, moved = -1, time.monotonic()
    while seen < wanted:
        now_seen = await database.fetchval(query)
        if now_seen != seen:
            seen, moved = now_seen, time.monotonic()
        elif time.monotonic() - moved > QUIET_SECONDS:
            raise SystemExit(f"stuck at {seen} of {wanted}: {query}")
        await asyncio.sleep(POLL_SECONDS)


async def _checks(stack: LocalStack, database: asyncpg.Connection, promotions: int) -> dict[str, Any]:
    history = await database.fetch(
        "SELECT count(*) AS rows, count(DISTINCT (promotion_id, version)) AS versions, "
        "count(DISTINCT promotion_id) AS promotions FROM promotion.history WHERE organization_id = $1",
        ORGANIZATION,
    )
    gateway = next(gateway for gateway in stack.ready["gateways"] if gateway["id"] == "gw-staging")
    created = Counter(
        record.effect.key
        for record in read_log(Path(gateway["log"]))
        if isinstance(record, EffectApplied) and isinstance(record.effect, Created)
    )
    return {
        "history_rows_each": history[0]["rows"] / promotions,
        "checked": history[0]["rows"] == history[0]["versions"]
        and history[0]["promotions"] == promotions
        and len(created) == created.total() == promotions,
    }


def _show(result: dict[str, Any]) -> None:
    table = Table(title=f"{result['promotions']} promotions, {result['layout']}, {result['kafka']} broker")
    for column in ("promotions/s", "p50 ms", "p95 ms", "p99 ms", "checked"):
        table.add_column(column, justify="right")
    table.add_row(*(str(result[key]) for key in ("per_second", "p50_ms", "p95_ms", "p99_ms", "checked")))
    processes = Table(title="by process")
    for column in ("process", "CPU ms per promotion", "memory MB"):
        processes.add_column(column, justify="right")
    for name, milliseconds in sorted(result["cpu_ms_each"].items(), key=lambda item: -item[1]):
        processes.add_row(name, f"{milliseconds:.3f}", str(result["memory_mb"].get(name, "")))
    console = Console()
    console.print(table, processes)
