"""An executor on a real database with a clock that is moved by hand, and its neighbours as what they publish."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from schemas import views
from schemas.events import Event, PromotionApproved, event_source, event_type
from schemas.identifiers import event_id, slot_key
from schemas.topics import PROMOTION_APPROVED
from services.executor import handlers
from services.executor.gateways import GatewayClient
from services.executor.upkeep import Upkeep
from services.executor.worker import Worker
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox, load_headers
from services.platform.vault import Place, Vault
from studio.gateway import ReferenceGateway, Script, read_log

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
ORGANIZATION = "acme"
DEADLINE = timedelta(minutes=15)
GATEWAY_TIMEOUT_SECONDS = 0.3
VAULT = Vault({"test": b"k" * 32})
_versions = itertools.count(1)


class MovableClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Neighbours:
    """What inventory and promotion publish, as plain tables that the test fills."""

    def __init__(self, owner: Database) -> None:
        self._owner = owner

    async def move_in(self) -> None:
        async with self._owner.begin() as connection:
            for table in (views.gateways, views.deployments, views.promotions):
                await connection.execute(text(f"DROP VIEW IF EXISTS {table.fullname} CASCADE"))
                await connection.run_sync(table.create)
                await connection.execute(text(f"GRANT SELECT ON {table.fullname} TO promotion_executor"))

    async def register(self, gateway_id: str, url: str, *, concurrency: int = 8, credential: str | None = None) -> None:
        row = {
            "organization_id": ORGANIZATION, "gateway_id": gateway_id, "name": gateway_id, "environment": "staging",
            "url": url, "credential": _sealed(credential, gateway_id, url), "is_default": False,
            "max_concurrency": concurrency,
        }  # fmt: skip
        async with self._owner.begin() as connection:
            await connection.execute(views.gateways.delete().where(views.gateways.c.gateway_id == gateway_id))
            await connection.execute(views.gateways.insert().values(row))

    async def forget(self, gateway_id: str) -> None:
        async with self._owner.begin() as connection:
            await connection.execute(views.gateways.delete().where(views.gateways.c.gateway_id == gateway_id))

    async def execute(self, *events: Event) -> None:
        """Show the promotions of these orders as executing."""
        async with self._owner.begin() as connection:
            await connection.execute(views.promotions.insert(), [_promotion(event) for event in events])

    async def end(self, promotion_id: UUID, status: str) -> None:
        promotions = views.promotions
        async with self._owner.begin() as connection:
            await connection.execute(
                promotions.update().where(promotions.c.promotion_id == promotion_id).values(status=status)
            )

    async def statuses_of_executions(self) -> list[str]:
        async with self._owner.begin() as connection:
            return list((await connection.scalars(text("SELECT status FROM executor.execution"))).all())

    async def take_in(self, promotion_id: UUID, gateway_id: str) -> None:
        row = {"organization_id": ORGANIZATION, "gateway_id": gateway_id, "deployment_id": str(promotion_id)}
        async with self._owner.begin() as connection:
            await connection.execute(views.deployments.insert().values(row))


def _promotion(event: Event) -> dict[str, Any]:
    data = event.data
    assert isinstance(data, PromotionApproved)
    return {
        "organization_id": data.organization_id, "promotion_id": data.promotion_id, "agent_id": data.agent_id,
        "source_deployment_id": data.source_deployment_id, "target_gateway_id": data.target_gateway_id,
        "target_environment": data.target_environment, "deployment_version": data.deployment_version,
        "digest": data.digest, "status": "approved", "status_reason": "executing",
    }  # fmt: skip


def order(
    gateway_id: str = "gw-1", *, agent_id: str | None = None, executing_at: datetime = START, digest: str | None = None
) -> Event:
    promotion_id = uuid4()
    agent = agent_id or f"agent-{next(_versions)}"
    return Event(
        topic=PROMOTION_APPROVED,
        key=slot_key(ORGANIZATION, agent, gateway_id),
        id=event_id(str(promotion_id), 3, event_type(PROMOTION_APPROVED)),
        source=event_source("promotion", ORGANIZATION),
        subject=str(promotion_id),
        time=executing_at,
        data=PromotionApproved(
            organization_id=ORGANIZATION,
            promotion_id=promotion_id,
            agent_id=agent,
            target_gateway_id=gateway_id,
            target_environment="staging",
            source_deployment_id="dep-1",
            deployment_version="1.0.0",
            digest=digest,
            executing_at=executing_at,
            version=3,
        ),
    )


def promotion_of(event: Event) -> UUID:
    assert isinstance(event.data, PromotionApproved)
    return event.data.promotion_id


def _sealed(credential: str | None, gateway_id: str, url: str) -> str | None:
    return None if credential is None else VAULT.seal(credential, Place(ORGANIZATION, gateway_id, url))


class Executor:
    """One executor process, without Kafka: orders are handed in, reports are read from its outbox."""

    def __init__(self, dsn: str, clock: MovableClock, *, timeout_seconds: float = GATEWAY_TIMEOUT_SECONDS) -> None:
        self.clock = clock
        self.database = Database(
            dsn, role="promotion_executor", application_name="executor test", pool_size=4, every_organization=True
        )
        self.outbox = Outbox("executor")
        self.client = GatewayClient(timeout_seconds=timeout_seconds, vault=VAULT, allowed=[ip_network("127.0.0.0/8")])
        shared: dict[str, Any] = {
            "database": self.database, "outbox": self.outbox, "client": self.client, "clock": clock,
            "jitter": lambda: 1.0, "announce_after": timedelta(seconds=5),
        }  # fmt: skip
        self.worker = Worker(**shared)
        self.upkeep = Upkeep(**shared, gateway_timeout=timedelta(seconds=timeout_seconds), kept=timedelta(days=90))

    async def receive(self, *events: Event) -> None:
        async with self.database.begin() as connection:
            await handlers.accept_orders(connection, events, outbox=self.outbox, now=self.clock(), deadline=DEADLINE)

    async def work(self) -> None:
        """Do all that is due at this moment of the clock."""
        await self.worker.round()
        while self.worker.busy:
            self.worker.wake.clear()
            await self.worker.round()
            if self.worker.busy:
                await asyncio.wait_for(self.worker.wake.wait(), 5)

    async def work_on(self, *, seconds: float, step_seconds: float = 1.0) -> None:
        """Let time pass, and do all that falls due."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self.clock.now < end:
            self.clock.advance(step_seconds)
            await self.work()

    async def rows(self, sql: str) -> Sequence[Any]:
        async with self.database.begin() as connection:
            return (await connection.execute(text(sql))).all()

    async def statuses(self) -> dict[str, str]:
        found = await self.rows("SELECT promotion_id::text AS id, status FROM executor.execution")
        return {row.id: row.status for row in found}

    async def state_of(self, event: Event) -> Any:
        promotion_id = promotion_of(event)
        (row,) = await self.rows(f"SELECT * FROM executor.execution WHERE promotion_id = '{promotion_id}'")
        return row

    async def reports(self) -> list[tuple[str, bytes]]:
        """The outbox: event id and value of each report, in order."""
        found = await self.rows("SELECT headers, value FROM executor.outbox ORDER BY id")
        return [((dict(load_headers(row.headers))["ce_id"] or b"").decode(), row.value) for row in found]

    async def crash(self) -> None:
        """Vanish between any two lines: nothing that is under way is written or given back."""
        for task in list(self.worker._tasks.values()):
            task.cancel()
        await self.client.close()
        await self.database.close()

    async def close(self) -> None:
        await self.client.close()
        await self.database.close()


def reference_gateway(log: Path, *rules: dict[str, Any], gateway_id: str = "gw-1", **options: Any) -> ReferenceGateway:
    script = Script.model_validate({"rules": rules})
    return ReferenceGateway(
        log=log / f"{gateway_id}.log", gateway_id=gateway_id, environment="staging", script=script, fsync=False,
        **options,
    )  # fmt: skip


async def until_logged(log: Path, kind: type[object]) -> None:
    """Wait until a gateway has written a record of this kind."""
    async with asyncio.timeout(5):
        while not any(isinstance(record, kind) for record in read_log(log)):
            await asyncio.sleep(0.01)
