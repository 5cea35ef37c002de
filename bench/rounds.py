"""One round of the pipeline: promotions asked for through Kafka, so many at once, and what came of them."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bench.client import BATCH, QUIET_SECONDS, Client
from bench.load import ORGANIZATION, request
from bench.machine import Neighbours

POLL_SECONDS = 0.05
_COMPLETED = """SELECT id FROM promotion.promotion
    WHERE organization_id = $1 AND id = ANY($2) AND completed_at IS NOT NULL"""
_STATISTICS = """SELECT count(*) AS completed, extract(epoch FROM max(completed_at) - min(created_at)) AS seconds,
    percentile_disc(array[0.5, 0.95, 0.99]) WITHIN GROUP
        (ORDER BY extract(epoch FROM completed_at - created_at) * 1000) AS latency_ms
    FROM promotion.promotion WHERE organization_id = $1 AND id = ANY($2) AND status = 'completed'"""


_WRITTEN = """SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal_bytes,
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8 AS commits"""


@dataclass(frozen=True)
class Round:
    """What one round measured; `cpu_ms_each` is by process, `foreign_percent` what others took of the machine.

    `written_each` is what PostgreSQL wrote for each promotion: kilobytes of its log, commits.
    """

    identifiers: list[UUID]
    per_second: float
    latency_ms: dict[str, float]
    cpu_ms_each: dict[str, float]
    written_each: dict[str, float]
    foreign_percent: float


async def pipeline_round(client: Client, names: Sequence[str], *, label: str, in_flight: int) -> Round:
    """Ask for the promotion of each of `names`, at most `in_flight` at once, and wait until all are completed."""
    stack = client.stack
    written_before = (await client.database.fetch(_WRITTEN))[0]
    before, neighbours = stack.cpu_seconds(), Neighbours(stack)
    identifiers = await _closed_loop(client, names, label=label, in_flight=in_flight)
    foreign_percent, after = neighbours.percent(), stack.cpu_seconds()
    written = (await client.database.fetch(_WRITTEN))[0]
    (row,) = await client.database.fetch(_STATISTICS, ORGANIZATION, identifiers)
    if row["completed"] != len(names):
        raise SystemExit(f"{len(names) - row['completed']} of {len(names)} promotions ended without being completed")
    return Round(
        identifiers=identifiers,
        per_second=len(names) / float(row["seconds"]),
        latency_ms={f"p{rank}": float(at) for rank, at in zip((50, 95, 99), row["latency_ms"], strict=True)},
        cpu_ms_each={name: (seconds - before.get(name, 0.0)) * 1000 / len(names) for name, seconds in after.items()},
        written_each={
            "log_kb": (written["wal_bytes"] - written_before["wal_bytes"]) / len(names) / 1000,
            "commits": (written["commits"] - written_before["commits"]) / len(names),
        },
        foreign_percent=foreign_percent,
    )


async def _closed_loop(client: Client, names: Sequence[str], *, label: str, in_flight: int) -> list[UUID]:
    size = min(BATCH, in_flight)
    waiting: deque[list[UUID]] = deque()
    identifiers: list[UUID] = []
    for start in range(0, len(names), size):
        while sum(map(len, waiting)) + size > in_flight:
            await until_completed(client, waiting.popleft())
        asked = [request(name, label=label) for name in names[start : start + size]]
        await client.publisher.publish([record for _, record in asked])
        waiting.append([identifier for identifier, _ in asked])
        identifiers += waiting[-1]
    for batch in waiting:
        await until_completed(client, batch)
    return identifiers


async def until_completed(client: Client, batch: Sequence[UUID]) -> None:
    """Wait until all of `batch` are completed; end the run where that takes too long."""
    # The oldest batch alone is looked at, by its keys, and what was seen completed not again: looking costs the machine
    # that is measured.
    deadline, missing = time.monotonic() + QUIET_SECONDS, set(batch)
    while True:
        missing -= {row["id"] for row in await client.database.fetch(_COMPLETED, ORGANIZATION, list(missing))}
        if not missing:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(missing)} of {len(batch)} promotions are not completed after {QUIET_SECONDS} s")
        await asyncio.sleep(POLL_SECONDS)
