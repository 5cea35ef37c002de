"""One service's process: its consumers, its relay and its loops, started, watched, drained and stopped together.

It owns no business: what a service does is in the subscriptions and loops that it is given.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text

from services.platform.clock import Clock, utc_now
from services.platform.database import Database, is_conflict, is_outage
from services.platform.instance_lock import InstanceLock
from services.platform.messaging.consumer import Consumers, Subscription
from services.platform.messaging.moving import follow
from services.platform.messaging.outbox import Outbox, Relay
from services.platform.messaging.producer import publisher_for
from services.platform.reports import Reporter
from services.platform.schema_state import require_current, role_of
from services.platform.settings import Settings

if TYPE_CHECKING:
    from services.platform.messaging.gate import Gate

RESTART_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
RELAY_QUIET_SECONDS = 15.0
_TRUST = {
    "broker": "broker: whoever may write to a topic is believed; who may is for its access lists to say",
    "signed": "signed: what neither a service nor the holder of a key signed is parked",
}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loop:
    """A task that runs as long as its service: ``step`` does what is due and tells how long to rest, in seconds.

    ``wake`` cuts the rest short, and so does each batch that a consumer commits, unless ``after_batches`` is false, but
    not below ``pace_seconds``, so that what comes one by one is done together. A step that fails is run again after a
    pause; it has to be harmless to repeat. ``drain`` is awaited when the service stops, while the loop still runs, and
    ends within eight seconds.
    """

    name: str
    step: Callable[[], Awaitable[float]]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    after_batches: bool = True
    pace_seconds: float = 0.0
    drain: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a service does its work now; ``trouble`` names what keeps it from it."""

    trouble: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Tell whether nothing is in the way."""
        return not self.trouble


class Service:
    """A service with one schema: subscriptions, an outbox with its relay, and loops."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        subscriptions: Sequence[Subscription] = (),
        loops: Sequence[Loop] = (),
        database: Database,
        outbox: Outbox,
        clock: Clock = utc_now,
    ) -> None:
        self.name = name
        self._settings = settings
        self._database = database
        self._loops = tuple(loops)
        url = settings.database_url.get_secret_value()
        self._relay = Relay(
            url,
            outbox,
            publisher_for(settings, name),
            role=role_of(outbox.schema),
        )
        self._consumers = Consumers(
            subscriptions,
            service=name,
            settings=settings,
            database=database,
            outbox=outbox,
            clock=clock,
            committed=self.committed,
            gate=_gate_for(settings),
        )
        self._consuming = False
        self._begun = False
        self._instance = InstanceLock(url, name) if settings.embedded else None
        self._reporter = Reporter(
            name, settings.instance, outbox.schema, database, self._trouble, self._consumers.lag, clock
        )

    def committed(self) -> None:
        """Wake the loops: a batch may have left them something to do."""
        for loop in self._loops:
            if loop.after_batches:
                loop.wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until ``stopping`` is set, then drain; raises SchemaOutdated at start on an old schema.

        On the embedded broker it raises AlreadyRunning where another instance runs; ConsumersStalled where it consumes
        no more, so that whoever started it starts it again.
        """
        stop = asyncio.create_task(stopping.wait())
        tasks = [asyncio.create_task(self._prepare(), name=f"{self.name} preparation")]
        try:
            await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
            if not stop.done():
                tasks[0].result()
                tasks = self._begin()
                await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            stop.cancel()
            await self._drain(tasks)

    async def readiness(self) -> Readiness:
        """Say whether the service consumes and publishes now, not merely whether it is up."""
        trouble: list[str] = []
        try:
            async with self._database.begin() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what keeps us from being ready
            trouble.append(f"database: {type(error).__name__}")
        if not self._consuming or not await self._consumers.ping():
            trouble.append("kafka: not consuming")
        trouble += [f"kafka: batches of {topic} fail" for topic in self._consumers.failing()]
        trouble += [f"kafka: {topic} is not polled" for topic in self._consumers.quiet()]
        relayed = self._relay.last_success
        if relayed is None or asyncio.get_running_loop().time() - relayed > RELAY_QUIET_SECONDS:
            trouble.append("outbox: not relayed")
        return Readiness(tuple(trouble))

    def _begin(self) -> list[asyncio.Task[None]]:
        self._begun = True
        tasks = [asyncio.create_task(follow(self._settings, self._relay.run), name=f"{self.name} relay")]
        tasks += [asyncio.create_task(_run_loop(self.name, loop), name=loop.name) for loop in self._loops]
        report = Loop("report", self._reporter.step, after_batches=False)
        tasks.append(asyncio.create_task(_run_loop(self.name, report), name=f"{self.name} report"))
        tasks.append(asyncio.create_task(follow(self._settings, self._consume), name=f"{self.name} consumers"))
        if self._instance is not None:
            tasks.append(asyncio.create_task(self._instance.hold(), name=f"{self.name} instance lock"))
        return tasks

    async def _trouble(self) -> tuple[str, ...]:
        return (await self.readiness()).trouble

    async def _prepare(self) -> None:
        await self._until_current()
        if self._instance is not None:
            await self._instance.acquire()

    async def _until_current(self) -> None:
        url = self._settings.database_url.get_secret_value()
        failures = 0
        while True:
            try:
                await require_current(url, self.name)
            except Exception as error:
                if not is_outage(error):
                    raise
                _log.warning("database unavailable at start", service=self.name, error=str(error))
                await asyncio.sleep(_pause(failures))
                failures += 1
            else:
                return

    async def _consume(self) -> None:
        try:
            await self._until_consuming()
            self._consuming = True
            _log.info("consuming", service=self.name, trust=_TRUST[self._settings.kafka_trust])
            await self._consumers.until_stalled()
        finally:
            self._consuming = False
            await self._consumers.stop()

    async def _until_consuming(self) -> None:
        failures = 0
        while True:
            try:
                await self._consumers.start()
            except Exception as error:  # noqa: BLE001 - Kafka is away
                _log.warning("kafka unavailable", service=self.name, error=f"{type(error).__name__}: {error}")
                await self._consumers.stop()
                await asyncio.sleep(_pause(failures))
                failures += 1
            else:
                return

    async def _drain(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        ends = [loop.drain() for loop in self._loops if loop.drain is not None] if self._begun else []
        await asyncio.gather(self._consumers.stop(), *ends, return_exceptions=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._instance is not None:
            await self._instance.release()
        await self._database.close()


async def _run_loop(service: str, loop: Loop) -> None:
    failures = 0
    while True:
        loop.wake.clear()
        try:
            rest_seconds = await loop.step()
            failures = 0
        except Exception as error:  # noqa: BLE001 - a loop outlives any one failure of its step
            rest_seconds = _pause(failures)
            failures += 1
            expected = is_outage(error) or is_conflict(error)
            _log.warning(
                "loop failed", service=service, loop=loop.name, error=f"{type(error).__name__}: {error}",
                retry_seconds=rest_seconds, exc_info=None if expected else error,
            )  # fmt: skip
        if rest_seconds > 0:
            pace_seconds = min(loop.pace_seconds, rest_seconds)
            await asyncio.sleep(pace_seconds)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(loop.wake.wait(), rest_seconds - pace_seconds)


def _gate_for(settings: Settings) -> "Gate | None":
    if settings.kafka_trust == "broker":
        return None
    # What opens the keys of signers is large, and needed nowhere else.
    from services.platform.messaging.gate import Gate

    return Gate(settings.key_pepper.get_secret_value())


def _pause(failures: int) -> float:
    return RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)]
