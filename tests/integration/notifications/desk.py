"""Notifications on a real database with a clock that is moved by hand, without Kafka: changes are handed in."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from schemas.events import PromotionChanged
from schemas.webhooks import WebhookFilter, WebhookStatus
from services.notifications import commands, handlers
from services.notifications.commands import Wish
from services.notifications.domain.hook import Hook
from services.notifications.sealing import SecretPlace, new_secret
from services.notifications.sender import Sender
from services.notifications.store import hooks
from services.notifications.upkeep import Upkeep
from services.notifications.worker import Worker
from services.platform.database import Database
from services.platform.vault import Vault
from tests.unit.notifications.samples import change

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
ORGANIZATION = "acme"
DEADLINE = timedelta(hours=24)
TIMEOUT_SECONDS = 0.3
VAULT = Vault({"test": b"k" * 32})
LOOPBACK = ip_network("127.0.0.0/8")


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


class Desk:
    """One process of notifications."""

    def __init__(self, dsn: str, clock: Clock, *, allowed: Sequence[Any] = (LOOPBACK,), vault: Vault = VAULT) -> None:
        self.clock = clock
        self.vault = vault
        self.database = Database(
            dsn, role="promotion_notifications", application_name="test", pool_size=4, every_organization=True
        )
        self.sender = Sender(timeout_seconds=TIMEOUT_SECONDS, vault=vault, allowed=allowed)
        self.worker = Worker(
            database=self.database, sender=self.sender, clock=clock, jitter=lambda: 1.0,
            attempt_time=timedelta(seconds=TIMEOUT_SECONDS),
        )  # fmt: skip
        self.upkeep = Upkeep(database=self.database, clock=clock, deadline=DEADLINE)

    async def register(self, url: str, *, organization: str = ORGANIZATION, **filters: Any) -> tuple[Hook, str]:
        """Add a webhook; give it with its secret."""
        secret, webhook_id = new_secret(), uuid4()
        wanted = WebhookFilter(**filters).model_dump(mode="json", exclude_none=True)
        wish = Wish("Approvers", url, wanted, WebhookStatus.ACTIVE, "alma", self.clock())
        async with self.database.begin() as connection:
            hook = await commands.create(
                connection, wish, organization_id=organization, webhook_id=webhook_id,
                secret=self.vault.seal(secret, SecretPlace(organization, webhook_id)),
            )  # fmt: skip
        return hook, secret

    async def rotate(self, hook: Hook, *, overlap: timedelta) -> str:
        """Give a webhook a new secret; give it."""
        secret = new_secret()
        sealed = self.vault.seal(secret, SecretPlace(hook.organization_id, hook.id))
        async with self.database.begin() as connection:
            await commands.rotate(
                connection, organization_id=hook.organization_id, webhook_id=hook.id, secret=sealed, overlap=overlap,
                expected=None, by="alma", now=self.clock(),
            )  # fmt: skip
        return secret

    async def hook(self, webhook_id: UUID) -> Hook:
        async with self.database.begin() as connection:
            found = await hooks.one(connection, organization_id=ORGANIZATION, webhook_id=webhook_id)
        assert found is not None
        return found

    async def hear(self, *changes: PromotionChanged) -> int:
        async with self.database.begin() as connection:
            return await handlers.take_in(connection, changes, now=self.clock(), deadline=DEADLINE)

    async def happen(self, count: int = 1, **more: Any) -> list[PromotionChanged]:
        """Let changes of as many promotions happen now, and hear of them."""
        changes = [change(**{"promotion_id": uuid4(), "at": self.clock(), **more}) for _ in range(count)]
        await self.hear(*changes)
        return changes

    async def work(self) -> None:
        """Do all that is due at this moment of the clock."""
        await self.worker.round()
        while self.worker.busy:
            self.worker.wake.clear()
            await self.worker.round()
            if self.worker.busy:
                await asyncio.wait_for(self.worker.wake.wait(), 5)

    async def work_on(self, *, minutes: float, step_seconds: float = 30) -> None:
        """Let time pass, and do all that falls due."""
        end = self.clock.now + timedelta(minutes=minutes)
        while self.clock.now < end:
            self.clock.advance(seconds=step_seconds)
            await self.work()

    async def deliveries(self) -> list[Any]:
        return await self.rows("SELECT * FROM notifications.delivery ORDER BY created_at, id")

    async def rows(self, sql: str) -> list[Any]:
        async with self.database.begin() as connection:
            return list((await connection.execute(text(sql))).all())

    async def close(self) -> None:
        await self.sender.close()
        await self.database.close()
