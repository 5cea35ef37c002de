"""The services as they are built for production, taken apart at their seams so that each step can be made by hand.

Replaced are Kafka's client, the gateways' client and time; everything else is what runs in production.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.cloudevents import EncodedRecord
from services.executor import app as executor
from services.executor.worker import Worker
from services.inventory import app as inventory
from services.notifications import app as notifications
from services.platform.messaging.consumer import BatchProcessor
from services.platform.messaging.dead_letters import Record
from services.platform.messaging.outbox import Relay
from services.platform.service import Loop, Service
from services.platform.settings import Settings, load_settings
from services.promotion import app as promotion
from services.rules import app as rules
from tests.simulation.broker import Broker, FakePublisher
from tests.simulation.clockwork import Clock, settle_tasks
from tests.simulation.fuses import Fuse, FusedConnection
from tests.simulation.gateway import FakeClient

BUILDERS: dict[str, Callable[..., Service]] = {
    "promotion": promotion.build_service,
    "rules": rules.build_service,
    "executor": executor.build_service,
    "inventory": inventory.build_service,
    "notifications": notifications.build_service,
}
RETRY_SECONDS = 0.1


@dataclass(slots=True)
class Turn:
    """A loop of a service, and when it wants to be run again."""

    loop: Loop
    next_seconds: float = 0.0


@dataclass
class Member:
    """One process: its consumers, its loops and its relay, each of which is made to take a step."""

    name: str
    schema: str
    clock: Clock
    broker: Broker
    fuse: Fuse
    engine: AsyncEngine
    relay_connection: asyncpg.Connection
    # An executor's: one for executions, one for orphans.
    clients: tuple[FakeClient, FakeClient] | None
    dsn: str
    # The first process of a schema has its consumers; others share its loops alone.
    consumes: bool = True
    paused: bool = False
    # Whether its outbox has been looked at since somebody wrote to its schema.
    has_news: bool = True
    processors: dict[str, BatchProcessor] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    # The loop that fences orphans waits for gateways within its step, and the others go on meanwhile.
    fencing: "asyncio.Task[float] | None" = None

    def start(self) -> None:
        """Begin a process: nothing in memory is left of an earlier one."""
        service = BUILDERS[self.schema](settings_of(self.dsn), self.clock)
        parts: Any = service
        parts._database._engine = self.engine
        self.service = service
        self.publisher = FakePublisher(self.broker, self.fuse, lambda: int(self.clock().timestamp() * 1000))
        self.relay: Relay = parts._relay
        seam: Any = self.relay
        seam._publisher = self.publisher
        self.processors = dict(parts._consumers._processors) if self.consumes else {}
        self.turns = {loop.name: Turn(loop, self.clock.elapsed.total_seconds()) for loop in parts._loops}
        self.fencing = None
        if self.clients is not None:
            worker, upkeep = (self.turns[name].loop.step.__self__ for name in ("executions", "orphans"))  # type: ignore[attr-defined]
            worker._client = self.clients[0]
            object.__setattr__(upkeep, "client", self.clients[1])

    @property
    def worker(self) -> Worker | None:
        """The executor's worker, if this is one."""
        turn = self.turns.get("executions")
        found = None if turn is None else getattr(turn.loop.step, "__self__", None)
        return found if isinstance(found, Worker) else None

    async def stop(self) -> None:
        """End the process between any two lines."""
        if self.fencing is not None:
            self.fencing.cancel()
            await asyncio.gather(self.fencing, return_exceptions=True)
            self.fencing = None
        worker = self.worker
        if worker is not None:
            for task in list(worker._tasks.values()):
                task.cancel()
            await settle_tasks()

    def due(self) -> list[str]:
        """Name the loops that would run now."""
        if self.paused:
            return []
        now = self.clock.elapsed.total_seconds()
        due = [name for name, turn in self.turns.items() if turn.next_seconds <= now or turn.loop.wake.is_set()]
        return [name for name in due if name != "orphans" or self.fencing is None]

    async def run_loop(self, name: str) -> None:
        turn = self.turns[name]
        turn.loop.wake.clear()
        turn.next_seconds = self.clock.elapsed.total_seconds() + RETRY_SECONDS
        if name == "orphans":
            self.fencing = asyncio.create_task(_step(turn.loop))
            await self.fence_on()
            return
        rest_seconds = await turn.loop.step()
        turn.next_seconds = self.clock.elapsed.total_seconds() + max(0.0, rest_seconds)
        await settle_tasks()

    async def fence_on(self) -> None:
        """Let the fencing of orphans run until it waits for a gateway or is done."""
        while self.fencing is not None and not self.fencing.done():
            if self.clients is not None and self.clients[1].waits:
                return
            await asyncio.sleep(0)
        if self.fencing is not None:
            done, self.fencing = self.fencing, None
            rest_seconds = done.result()
            self.turns["orphans"].next_seconds = self.clock.elapsed.total_seconds() + rest_seconds

    async def consume(self, topic: str, records: Sequence[Record]) -> None:
        await self.processors[topic].process(records)

    async def publish_some(self) -> Sequence[EncodedRecord]:
        """Let the relay publish what waits; give what was published."""
        relay: Any = self.relay
        self.publisher.published = []
        connection = FusedConnection(self.relay_connection, self.fuse)
        await relay._relay_all(connection)
        self.has_news = False
        return self.publisher.published


async def _step(loop: Loop) -> float:
    return await loop.step()


def engine_of_service(dsn: str, schema: str) -> AsyncEngine:
    """Give the engine that a service makes for itself."""
    seam: Any = BUILDERS[schema](settings_of(dsn))
    engine: AsyncEngine = seam._database._engine
    return engine


def settings_of(dsn: str) -> Settings:
    """Give settings under which deadlines come within minutes of simulated time."""
    return load_settings(
        {
            "DATABASE_URL": dsn,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "PROMOTION_KEY_PEPPER": "p" * 32,
            "PROMOTION_HOLD_SECONDS": "20",
            "PROMOTION_EXECUTION_DEADLINE_SECONDS": "60",
        }
    )
