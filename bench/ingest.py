"""`python -m bench ingest`: how many metric events a second become facts, with two hundred rules looking on.

Records go through the rules service's own consumer and lookout into a real PostgreSQL; only Kafka itself is left out.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psutil
from sqlalchemy import text

from schemas import topics
from schemas.cloudevents import encode
from schemas.events import Event, MetricsObserved
from schemas.resources import RuleWrite
from services.platform.database import Database
from services.platform.messaging.consumer import BatchProcessor, Subscription
from services.platform.messaging.dead_letters import Record
from services.platform.messaging.outbox import Outbox
from services.platform.migrate import migrate
from services.rules.handlers.intake import Intake
from services.rules.handlers.recheck import Lookout
from services.rules.handlers.requests import RequestDesk
from services.rules.handlers.rules import create_rule
from services.rules.handlers.trigger import Trigger
from services.rules.store.rule_books import RuleBooks
from studio.local.postgres import EmbeddedPostgres

GOAL_PER_SECOND = 10_000
RULES, READING, DEPLOYMENTS, BATCH = 200, 5, 100, 500
ORGANIZATION = "acme"


def main(arguments: Sequence[str] | None = None) -> None:
    """Take in events for as long as asked, and say how many a second and what it did to the memory."""
    parser = argparse.ArgumentParser(prog="bench ingest", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--events", type=int, default=100_000, help="how many to take in (default 100000)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        server.start()
        try:
            server.create_database("ingest")
            migrate(server.dsn_for("ingest"))
            result = asyncio.run(_measure(server.dsn_for("ingest"), options.events))
        finally:
            server.stop()
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['events']:,} events in {result['seconds']} s: {result['per_second']:,} a second", end="")
    print(f" (goal {GOAL_PER_SECOND:,}), {result['cpu_microseconds']} µs of this process each")
    print(f"{RULES} rules, {READING} of which read the field; {result['looks']} looks at {DEPLOYMENTS} deployments")
    print(f"memory: {result['memory_mb_first_tenth']} MB after a tenth, {result['memory_mb_end']} MB at the end")


async def _measure(dsn: str, count: int) -> dict[str, float]:
    start = datetime.now(UTC)
    await _announce(dsn, start)
    database = Database(dsn, role="promotion_rules", application_name="bench", every_organization=True)
    outbox, books = Outbox("rules"), RuleBooks()
    desk = RequestDesk(outbox=outbox, books=books, hold_seconds=300)
    lookout = Lookout(
        database=database,
        desk=desk,
        books=books,
        trigger=Trigger(outbox=outbox),
        clock=lambda: datetime.now(UTC),
        hold_seconds=300,
    )
    await _write_rules(database, start)
    wake = asyncio.Event()
    processor = BatchProcessor(
        Subscription(topics.METRICS_OBSERVED, Intake(books=books).take),
        service="rules",
        database=database,
        outbox=outbox,
        clock=lambda: datetime.now(UTC),
        committed=wake.set,
    )
    looking = asyncio.create_task(_look(lookout, wake))
    try:
        return await _ingest(processor, looking, count, start)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await database.close()


async def _ingest(
    processor: BatchProcessor, looking: "asyncio.Task[None]", count: int, start: datetime
) -> dict[str, float]:
    batches = max(1, count // BATCH)
    process = psutil.Process()
    first_tenth_mb, took, cpu = 0.0, 0.0, 0.0
    _LOOKS.clear()
    for number in range(batches):
        records = _records(number, start)
        began, used = time.perf_counter(), time.process_time()
        await processor.process(records)
        took += time.perf_counter() - began
        cpu += time.process_time() - used
        if number == batches // 10:
            first_tenth_mb = process.memory_info().rss / 1e6
    assert not looking.done()
    done = batches * BATCH
    return {
        "events": done,
        "seconds": round(took, 2),
        "per_second": round(done / took),
        "cpu_microseconds": round(cpu / done * 1e6, 1),
        "looks": len(_LOOKS),
        "memory_mb_first_tenth": round(first_tenth_mb),
        "memory_mb_end": round(process.memory_info().rss / 1e6),
    }


_LOOKS: list[float] = []


async def _look(lookout: Lookout, wake: asyncio.Event) -> None:
    while True:
        wake.clear()
        rest_seconds = await lookout.step()
        _LOOKS.append(rest_seconds)
        if rest_seconds > 0:
            try:
                await asyncio.wait_for(wake.wait(), rest_seconds)
            except TimeoutError:
                continue


async def _announce(dsn: str, now: datetime) -> None:
    owner = Database(dsn, role=None, application_name="bench", every_organization=True)
    async with owner.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO inventory.deployment (organization_id, gateway_id, deployment_id, agent_id, environment, "
                "version, status, deployed_at, succeeded_at, active_since, changed_at) SELECT :organization, "
                "'gw-development', 'dep-' || n, 'agent-' || n, 'development', '1', 'active', :now, :now, :now, :now "
                "FROM generate_series(0, :last) n"
            ),
            {"organization": ORGANIZATION, "now": now, "last": DEPLOYMENTS - 1},
        )
    await owner.close()


async def _write_rules(database: Database, now: datetime) -> None:
    for number in range(RULES):
        field = "metrics.error_rate" if number < READING else f"metrics.other_{number}"
        written = RuleWrite.model_validate(
            {
                "name": f"rule {number}",
                "source_environment": "development",
                "target_environment": "staging",
                "auto_promote": True,
                "conditions": {"field": field, "op": "lt", "value": 0.001 if number < READING else -1},
            }
        )
        async with database.begin() as connection:
            await create_rule(connection, written, organization_id=ORGANIZATION, rule_id=uuid4(), by="bench", now=now)


def _records(number: int, start: datetime) -> list[Record]:
    records = []
    for place in range(BATCH):
        count = number * BATCH + place
        event = Event(
            topic=topics.METRICS_OBSERVED,
            key="",
            id=f"m-{count}",
            source="/bench/acme",
            subject="",
            time=start + timedelta(milliseconds=count // 20),
            data=MetricsObserved.model_validate(
                {
                    "organization_id": ORGANIZATION,
                    "deployment_id": f"dep-{random.randrange(DEPLOYMENTS)}",
                    "metrics": {"error_rate": random.random(), "p95_latency_ms": 80, "request_count": 12},
                }
            ),
        )
        record = encode(event)
        records.append(Record(record.topic, 0, count, 0, record.key, record.headers, record.value))
    return records
