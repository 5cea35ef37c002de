"""Notifications as they are deployed: changes from Kafka, calls to receivers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from schemas.cloudevents import encode
from schemas.events import Event, PromotionChanged, event_source
from schemas.topics import DEFAULT_PARTITIONS, PROMOTION_CHANGED
from services.notifications.app import build_service
from services.notifications.domain.message import change_id
from services.platform.credential_keys import read_keys
from services.platform.messaging.producer import Publisher
from services.platform.settings import load_settings
from services.platform.vault import Vault
from studio.local.broker import EmbeddedBroker
from tests.integration.notifications.conftest import NewDesk
from tests.integration.notifications.receivers import Receiver
from tests.unit.notifications.samples import change

KEYS = "a" * 43


@asynccontextmanager
async def running(database: str, bootstrap: str) -> AsyncIterator[None]:
    settings = load_settings(
        {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "PROMOTION_KAFKA_FLAVOUR": "embedded",
            "PROMOTION_KAFKA_PARTITIONS": str(DEFAULT_PARTITIONS),
            "PROMOTION_KEY_PEPPER": "p" * 16,
            "PROMOTION_CREDENTIAL_KEYS": KEYS,
            "PROMOTION_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "PROMOTION_INSTANCE": f"test-{os.getpid()}",
        }
    )
    stopping = asyncio.Event()
    task = asyncio.create_task(build_service(settings).run(stopping))
    yield
    stopping.set()
    async with asyncio.timeout(10):
        await task


def as_event(told: PromotionChanged) -> Event:
    return Event(
        PROMOTION_CHANGED, str(told.promotion_id), change_id(told), event_source("promotion", told.organization_id),
        str(told.promotion_id), told.at, told,
    )  # fmt: skip


async def test_what_kafka_tells_is_told_on_and_what_others_claim_is_parked(
    database: str, own_broker: EmbeddedBroker, new_desk: NewDesk, receiver: Receiver
) -> None:
    desk = new_desk(vault=Vault(read_keys(KEYS)))
    desk.clock.now = datetime.now(UTC)
    _, secret = await desk.register(receiver.url)
    changes = [change(promotion_id=uuid4(), at=datetime.now(UTC)) for _ in range(20)]
    forged = replace(as_event(change(promotion_id=uuid4(), at=datetime.now(UTC))), source="/ci/acme")
    publisher = Publisher(lambda: own_broker.bootstrap, service="test")
    events = [as_event(told) for told in changes]
    await publisher.publish([encode(event) for event in [*events, forged, *events]])
    await publisher.close()

    async with running(database, own_broker.bootstrap), asyncio.timeout(20):
        while len(receiver.calls) < len(changes):
            await asyncio.sleep(0.02)

    assert {call.id for call in receiver.calls} == {change_id(told) for told in changes}
    assert len(receiver.calls) == len(changes)
    assert all(call.is_signed_with(secret) for call in receiver.calls)
    # The parked one left the outbox for its own topic.
    assert await desk.rows("SELECT id FROM notifications.outbox") == []
