"""The world of one seed: the processes, what lies between them, the people who command, and what they were told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas import topics
from schemas.cloudevents import EncodedRecord
from schemas.topics import consumer_group
from services.inventory import handlers as inventory
from services.inventory.store.gateways import GatewayRow
from services.platform.database import Database, is_conflict, is_outage, serve
from services.platform.messaging.outbox import Outbox
from services.platform.messaging.producer import PublishFailed
from services.platform.schema_state import role_of
from services.promotion.http.transactions import Transactions
from services.promotion.store import Overtaken
from services.rules.domain.rule import Rule
from tests.simulation.broker import Broker
from tests.simulation.clockwork import Clock, settle_tasks
from tests.simulation.fuses import Crash, Fuse, wire
from tests.simulation.gateway import Network
from tests.simulation.members import Member, engine_of_service

ORGANIZATION = "acme"
SCHEMAS = ("promotion", "rules", "executor", "inventory")
# Nobody is told by webhooks here: what they do decides nothing of a promotion.
CONSUMED = {service: topics.CONSUMED_BY[service] for service in SCHEMAS}
REDRIVE_AFTER = timedelta(seconds=5)
GATEWAYS = {"gw-dev": "development", "gw-dev-2": "development", "gw-stage": "staging", "gw-prod": "production"}


@dataclass(slots=True)
class Told:
    """What one client was told: ``answer`` is None where the connection broke before an answer came."""

    command: str
    promotion_id: UUID | None
    actor: str
    answer: str | None
    key: str | None = None
    detail: Any = None


@dataclass
class Plumbing:
    """Connections to one database, kept from seed to seed; processes come and go on them."""

    dsn: str
    owner: asyncpg.Connection
    engines: dict[str, AsyncEngine]
    relays: dict[str, asyncpg.Connection]
    fuses: dict[str, Fuse]

    @classmethod
    async def lay(cls, dsn: str) -> "Plumbing":
        owner = await asyncpg.connect(dsn)
        fuses = {name: Fuse() for name in (*SCHEMAS, "executor-2", "door")}
        engines: dict[str, AsyncEngine] = {}
        for name in (*SCHEMAS, "executor-2"):
            engines[name] = engine_of_service(dsn, name.removesuffix("-2"))
            wire(engines[name], fuses[name])
        for schema in ("promotion", "rules", "inventory"):
            door: Any = Database(dsn, role=role_of(schema), application_name="door", pool_size=4)
            engines[f"door {schema}"] = door._engine
            wire(engines[f"door {schema}"], fuses["door"])
        relays = {
            name: await asyncpg.connect(
                dsn, server_settings={"role": role_of(name.removesuffix("-2")), "app.organizations": "*"}
            )
            for name in (*SCHEMAS, "executor-2")
        }
        return cls(dsn, owner, engines, relays, fuses)

    async def empty(self) -> None:
        """Make the database as it was when it was migrated."""
        for fuse in self.fuses.values():
            fuse.set(None)
        tables = await self.owner.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE tablename <> 'alembic_version' "
            "AND schemaname = ANY($1)", [*SCHEMAS, "platform", "ingress"],
        )  # fmt: skip
        await self.owner.execute(f"TRUNCATE {', '.join(row['name'] for row in tables)} RESTART IDENTITY CASCADE")

    async def close(self) -> None:
        for engine in self.engines.values():
            await engine.dispose()
        for connection in (self.owner, *self.relays.values()):
            connection.terminate()


@dataclass
class World:
    """Everything of one seed."""

    plumbing: Plumbing
    clock: Clock
    random: Random
    broker: Broker = field(default_factory=Broker)
    members: dict[str, Member] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    # The transactions that wrote the versions of rules: their order is true whatever clocks do.
    rules_written: dict[tuple[UUID, int], int] = field(default_factory=dict)
    steps: int = 0

    async def begin(self) -> None:
        """Put everything in its first state."""
        serve(ORGANIZATION)
        await self.plumbing.empty()
        self.network = Network(self.clock)
        for name in (*SCHEMAS, "executor-2"):
            schema = name.removesuffix("-2")
            clients = (self.network.client(name), self.network.client(name)) if schema == "executor" else None
            member = Member(
                name, schema, self.clock, self.broker, self.plumbing.fuses[name], self.plumbing.engines[name],
                self.plumbing.relays[name], clients, self.plumbing.dsn, consumes=name in SCHEMAS,
            )  # fmt: skip
            member.start()
            self.members[name] = member
        for service, consumed in CONSUMED.items():
            for topic in consumed:
                self.broker.join(consumer_group(service, topic), topic)
        for gateway_id, environment in GATEWAYS.items():
            await self.register(gateway_id, environment)

    async def register(self, gateway_id: str, environment: str) -> None:
        now = self.clock()
        row = GatewayRow(
            ORGANIZATION, gateway_id, gateway_id, environment, "http://gateway", None, is_default=False,
            max_concurrency=4, created_at=now, created_by="alma", updated_at=now, updated_by="alma",
        )  # fmt: skip
        async with self.database("inventory").begin() as connection:
            await inventory.register_gateway(connection, row)

    def database(self, schema: str) -> Database:
        """The door's access to a schema."""
        database = Database(self.plumbing.dsn, role=role_of(schema), application_name="door", pool_size=1)
        seam: Any = database
        seam._engine = self.plumbing.engines[f"door {schema}"]
        return database

    @property
    def transactions(self) -> Transactions:
        """The door's transactions on promotions."""
        return Transactions(self.database("promotion"), Outbox("promotion"), self.clock, REDRIVE_AFTER)

    # Steps

    async def step(self, label: str, act: Callable[[], Awaitable[object]], *, owner: str) -> bool:
        """Take one step, of ``owner``; tell whether it came to its end."""
        self.steps += 1
        self.clock.tick()
        writer = self.members.get(owner.removesuffix("-2") if owner != "door" else "promotion")
        if writer is not None:
            writer.has_news = True
        outcome: object = ""
        fine = True
        try:
            outcome = await act()
        except Crash as crash:
            outcome, fine = f"crashed {crash}", False
            await self.restart(owner)
        except (PublishFailed, Overtaken) as error:
            outcome, fine = type(error).__name__, False
        except Exception as error:
            if not (is_outage(error) or is_conflict(error)):
                raise
            outcome, fine = type(error).__name__, False
        self.trace.append(f"{self.clock():%H:%M:%S.%f} {label} {outcome if outcome is not None else ''}".rstrip())
        return fine

    async def restart(self, owner: str) -> None:
        """Have a process die where it is and begin anew."""
        self.plumbing.fuses[owner].set(None)
        member = self.members.get(owner)
        if member is None:
            return
        self.network.hang_up(owner)
        await member.stop()
        member.paused = False
        member.start()
        for topic in member.processors:
            self.broker.restart(consumer_group(member.schema, topic))

    async def consume(self, member: Member, topic: str, *, some: bool, commit: bool) -> bool:
        group = consumer_group(member.schema, topic)
        records = self.broker.fetch(group, self.random if some else None)
        if not records:
            return False

        async def act() -> str:
            await member.consume(topic, records)
            self.broker.handled(group, records, commit=commit)
            return f"{len(records)} records{'' if commit else ', uncommitted'}"

        return await self.step(f"{member.name} consumes {topic}", act, owner=member.name)

    async def relay(self, member: Member) -> bool:
        published: list[EncodedRecord] = []

        async def act() -> str:
            published.extend(await member.publish_some())
            return " ".join(f"{record.topic}:{identifier(record)}" for record in published)

        await self.step(f"{member.name} relays", act, owner=member.name)
        return bool(published)

    async def loop(self, member: Member, name: str) -> None:
        await self.step(f"{member.name} runs {name}", lambda: member.run_loop(name), owner=member.name)

    async def reply(self, request: Any, answer: Any = None) -> None:
        self.network.answer(request, answer)
        await settle_tasks()
        await self.members[request.owner].fence_on()

    async def let_pass(self, seconds: float) -> None:
        """Let time pass; calls that waited too long are given up, though what was sent may still arrive."""
        self.clock.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)
        self.trace.append(f"{self.clock():%H:%M:%S.%f} time")

    async def note_rule(self, connection: AsyncConnection, rule: Rule) -> None:
        """Note in which transaction a rule's present version was written, before its end hides that."""
        written = text(
            "SELECT cast(cast(xmin AS text) AS bigint) FROM rules.rule_version "
            "WHERE rule_id = :id AND version = :version"
        )
        row = await connection.execute(written, {"id": rule.id, "version": rule.version})
        self.rules_written[rule.id, rule.version] = row.scalar_one()

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        return list(await self.plumbing.owner.fetch(sql, *arguments))

    async def in_promotion(self, do: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
        async with self.database("promotion").begin() as connection:
            return await do(connection)


def identifier(record: EncodedRecord) -> str:
    """Give the event id of a record, if it has one."""
    return next(((raw or b"").decode("latin-1") for name, raw in record.headers if name == "ce_id"), "")
