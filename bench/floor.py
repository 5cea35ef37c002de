"""The floor: the same promotions by hand in one process, on asyncpg alone, without a queue.

It reads the same rule and facts, writes rows of the same shape into a schema of its own, and calls the same gateway;
it keeps no events, no hash chain, and nothing of it goes on after a crash. Whatever is built costs more than this.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg

from bench import floor_statements as sql
from bench.load import ORGANIZATION, TARGET_GATEWAY
from bench.local_stack import LocalStack
from services.rules.domain.conditions import CompiledConditions, Value, compile_conditions, evaluate
from services.rules.domain.facts import Fact, Facts
from services.rules.domain.facts.numbers import decimal_from_text
from studio.gateway.records import EffectApplied, read_log
from studio.gateway.state import Created

BATCH = 500
# How many promotions are under way at once: one each, and in batches.
SINGLY_AT_ONCE, BATCHED_AT_ONCE = 256, 3_000
CALLS_AT_ONCE = 64
Row = dict[str, Any]


class _PlainConnection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        # Nothing here changes a session, so that a round trip is saved each time a connection is given back.
        return ""


class Floor:
    """``async with Floor(stack) as floor``: a schema of its own, with tables like those of the services."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._url = f"{stack.gateway(TARGET_GATEWAY)['url']}/deployments/"
        self._compiled: dict[tuple[UUID, int], CompiledConditions] = {}

    async def __aenter__(self) -> "Floor":
        self._pool = await asyncpg.create_pool(
            self._stack.ready["postgres"],
            min_size=16,
            max_size=16,
            connection_class=_PlainConnection,
            server_settings={"app.organizations": "*", "jit": "off"},
        )
        await self._pool.execute(sql.SCHEMA)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CALLS_AT_ONCE))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._pool.close()

    async def one_by_one(self, names: Sequence[str], *, label: str) -> float:
        """Promote each of `names` in transactions of its own; give how many a second. Checked at the end."""
        return await self._measured(self._singly, names, label)

    async def in_batches(self, names: Sequence[str], *, label: str) -> float:
        """Promote `names`, up to 500 in each transaction; give how many a second. Checked at the end."""
        return await self._measured(self._batched, names, label)

    async def _measured(
        self, promote: Callable[[Sequence[Row]], Awaitable[None]], names: Sequence[str], label: str
    ) -> float:
        await self._pool.execute(sql.EMPTY)
        rows = [_request(name, label) for name in names]
        began = time.perf_counter()
        await promote(rows)
        seconds = time.perf_counter() - began
        await self._check(rows)
        return len(rows) / seconds

    async def _singly(self, rows: Sequence[Row]) -> None:
        waiting = iter(rows)

        async def promote() -> None:
            for row in waiting:
                await self._pool.execute(sql.ACCEPT_ONE, *_values(row, sql.REQUESTED))
                await self._load(sql.LOAD_ONE, [row], row["id"])
                await self._pool.execute(sql.DECIDE_ONE, *_values(row, sql.DECIDED))
                await self._call(row)
                await self._pool.execute(sql.COMPLETE_ONE, *_values(row, sql.DEPLOYED))

        await asyncio.gather(*(promote() for _ in range(SINGLY_AT_ONCE)))

    async def _batched(self, rows: Sequence[Row]) -> None:
        room = asyncio.Semaphore(BATCHED_AT_ONCE // BATCH)

        async def promote(taken: list[Row]) -> None:
            try:
                await self._pool.execute(sql.ACCEPT_MANY, *_columns(taken, sql.REQUESTED))
                await self._load(sql.LOAD_MANY, taken, [row["id"] for row in taken])
                await self._pool.execute(sql.DECIDE_MANY, *_columns(taken, sql.DECIDED))
                await asyncio.gather(*(self._call(row) for row in taken))
                await self._pool.execute(sql.COMPLETE_MANY, *_columns(taken, sql.DEPLOYED))
            finally:
                room.release()

        async with asyncio.TaskGroup() as running:
            for start in range(0, len(rows), BATCH):
                await room.acquire()
                running.create_task(promote(list(rows[start : start + BATCH])))

    async def _load(self, statement: str, rows: Sequence[Row], identifiers: object) -> None:
        label = rows[0]["organization_id"]
        found = {each["id"]: each for each in await self._pool.fetch(statement, identifiers, ORGANIZATION, label)}
        for row in rows:
            row["summary"] = self._judge(found[row["id"]])

    def _judge(self, found: Any) -> str:
        key = (found["rule_id"], found["version"])
        if key not in self._compiled:
            self._compiled[key] = compile_conditions(json.loads(found["conditions"]))
        facts = Facts(
            {
                field: Fact(json.loads(value, parse_float=decimal_from_text, parse_int=decimal_from_text), at)
                for field, value, at in zip(found["fields"], found["values"], found["moments"], strict=True)
            }
        )
        verdict = evaluate(self._compiled[key], facts, datetime.now(UTC))
        if verdict is not Value.TRUE:
            raise SystemExit(f"the rule is {verdict.value} for {found['id']}")
        return verdict.value

    async def _call(self, row: Row) -> None:
        body = {
            "organization_id": row["organization_id"],
            "agent_id": row["agent_id"],
            "version": row["deployment_version"],
            "digest": None,
            "environment": row["target_environment"],
            "gateway_id": row["target_gateway_id"],
            "source_deployment_id": row["source_deployment_id"],
        }
        async with self._http.put(self._url + str(row["id"]), json=body, headers={"Fencing-Token": "1"}) as answer:
            told = await answer.json()
            if answer.status != 201:
                raise SystemExit(f"the gateway answered {answer.status}: {told}")
        row["target_deployment_id"] = told["deployment_id"]

    async def _check(self, rows: Sequence[Row]) -> None:
        (found,) = await self._pool.fetch(sql.CHECK)
        counted = dict(found)
        wanted = {"completed": len(rows), "decided": len(rows), "deployed": len(rows), "whole_histories": len(rows)}
        created = Counter(
            record.effect.key
            for record in read_log(Path(self._stack.gateway(TARGET_GATEWAY)["log"]))
            if isinstance(record, EffectApplied) and isinstance(record.effect, Created)
        )
        if counted != wanted or any(created[str(row["id"])] != 1 for row in rows):
            raise SystemExit(f"the floor did not do its work: {counted}, wanted {wanted}")


def _request(name: str, label: str) -> Row:
    now = datetime.now(UTC)
    return {
        "organization_id": label,
        "id": uuid4(),
        "agent_id": f"agent-{name}",
        "source_deployment_id": f"dep-{name}",
        "target_environment": "staging",
        "target_gateway_id": TARGET_GATEWAY,
        "deployment_version": "1.0.0",
        "created_at": now,
        "month": now.date().replace(day=1),
    }


def _values(row: Row, columns: Sequence[tuple[str, str]]) -> list[Any]:
    return [row[name] for name, _ in columns]


def _columns(rows: Sequence[Row], columns: Sequence[tuple[str, str]]) -> list[list[Any]]:
    return [[row[name] for row in rows] for name, _ in columns]
