"""What every measurement of the running stack needs: records to Kafka, statements to PostgreSQL, calls over HTTP."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import asyncpg

from bench.load import FACTS_EACH, RULE, announcement
from bench.local_stack import LocalStack
from services.platform.messaging.producer import Publisher

BATCH = 500
# The embedded broker keeps little, so that no more is announced at once than it holds many times over.
ANNOUNCED_AT_ONCE = 2_000
POLL_SECONDS = 0.05
QUIET_SECONDS = 120.0
_ANNOUNCED = """SELECT least(
    (SELECT count(*) FROM inventory.deployment WHERE deployment_id = ANY($1)),
    (SELECT count(*) FROM rules.fact WHERE deployment_id = ANY($1)) / $2)"""


class Client:
    """``async with Client(stack) as client``: connected to all three, with the rule of the load written."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.publisher = Publisher(lambda: str(stack.ready["kafka"]), service="bench", timeout_seconds=120)

    async def __aenter__(self) -> Self:
        self.database = await asyncpg.connect(self.stack.ready["postgres"], server_settings={"app.organizations": "*"})
        self.http = self.session("admin")
        if not await self.database.fetchval("SELECT count(*) FROM rules.rule_version"):
            await self._write_rule()
        return self

    async def _write_rule(self) -> None:
        async with self.http.post("/api/v1/promotions/rules", json=RULE) as answer:
            if answer.status != 201:
                raise SystemExit(f"the rule was not accepted: {answer.status} {await answer.text()}")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()
        await self.publisher.close()
        await self.database.close()

    def session(self, identity: str, *, connections: int = 8) -> aiohttp.ClientSession:
        """Open a session that speaks as one of the local identities over at most so many connections."""
        return aiohttp.ClientSession(
            self.stack.ready["api"],
            headers={"Authorization": f"Bearer {self.stack.ready['tokens'][identity]}"},
            connector=aiohttp.TCPConnector(limit=connections),
        )

    async def announce(self, names: Sequence[str]) -> None:
        """Announce deployments, and wait until inventory shows them and rules has their facts."""
        for first in range(0, len(names), ANNOUNCED_AT_ONCE):
            chunk = names[first : first + ANNOUNCED_AT_ONCE]
            for start in range(0, len(chunk), BATCH):
                records = [record for name in chunk[start : start + BATCH] for record in announcement(name)]
                await self.publisher.publish(records)
            await self.until(_ANNOUNCED, len(chunk), [f"dep-{name}" for name in chunk], FACTS_EACH)

    async def until(self, query: str, wanted: int, *arguments: Any) -> None:
        """Ask `query` until it answers at least `wanted`; end the run where it moves no more."""
        seen, moved = -1, time.monotonic()
        while seen < wanted:
            now_seen = await self.database.fetchval(query, *arguments)
            if now_seen != seen:
                seen, moved = now_seen, time.monotonic()
            elif time.monotonic() - moved > QUIET_SECONDS:
                raise SystemExit(f"stuck at {seen} of {wanted}: {query}")
            await asyncio.sleep(POLL_SECONDS)
