"""The executor as it is deployed: orders from Kafka, reports to Kafka, and a stop in the middle of a call."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from schemas.cloudevents import decode, encode
from schemas.events import DeploymentCompleted, Event
from schemas.topics import DEFAULT_PARTITIONS, DEPLOYMENT_COMPLETED
from services.executor.app import build_service
from services.platform.messaging.producer import Publisher
from services.platform.settings import load_settings
from studio.gateway import folded_state, read_log
from studio.gateway.records import FaultApplied
from studio.local.broker import EmbeddedBroker
from tests.integration.executor.executors import Neighbours, order, promotion_of, reference_gateway


@asynccontextmanager
async def running(database: str, bootstrap: str) -> AsyncIterator[asyncio.Event]:
    settings = load_settings(
        {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "PROMOTION_KAFKA_FLAVOUR": "embedded",
            "PROMOTION_KAFKA_PARTITIONS": str(DEFAULT_PARTITIONS),
            "PROMOTION_KEY_PEPPER": "p" * 16,
            "PROMOTION_GATEWAY_ALLOWED_NETWORKS": "127.0.0.0/8",
            "PROMOTION_INSTANCE": f"test-{os.getpid()}",
        }
    )
    stopping = asyncio.Event()
    task = asyncio.create_task(build_service(settings).run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        async with asyncio.timeout(10):
            await task


@asynccontextmanager
async def published(bootstrap: str, *events: Event) -> AsyncIterator[None]:
    publisher = Publisher(lambda: bootstrap, service="test")
    await publisher.publish([encode(event) for event in events])
    yield
    await publisher.close()


async def reports(bootstrap: str, count: int) -> list[DeploymentCompleted]:
    consumer = AIOKafkaConsumer(DEPLOYMENT_COMPLETED, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[DeploymentCompleted] = []
    try:
        async with asyncio.timeout(15):
            while len(found) < count:
                record: Any = await consumer.getone()
                event = decode(topic=record.topic, key=record.key, headers=tuple(record.headers), value=record.value)
                assert isinstance(event.data, DeploymentCompleted)
                found.append(event.data)
    finally:
        await consumer.stop()
    return found


async def test_orders_from_kafka_are_carried_out_and_reported_to_kafka(
    database: str, own_broker: EmbeddedBroker, neighbours: Neighbours, tmp_path: Path
) -> None:
    events = [order() for _ in range(20)]
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(*events)

        async with running(database, own_broker.bootstrap), published(own_broker.bootstrap, *events, *events):
            found = await reports(own_broker.bootstrap, len(events))

    expected = {promotion_of(event) for event in events}
    assert {report.promotion_id for report in found} == expected
    assert set(folded_state(gateway.log).deployments) == {str(promotion_id) for promotion_id in expected}


async def test_a_stop_waits_for_the_call_that_is_under_way(
    database: str, own_broker: EmbeddedBroker, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    slow = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 1000, "when": "after_effect"}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)

        async with running(database, own_broker.bootstrap) as stopping, published(own_broker.bootstrap, event):
            async with asyncio.timeout(15):
                while not any(isinstance(record, FaultApplied) for record in read_log(gateway.log)):
                    await asyncio.sleep(0.02)
            stopping.set()

    assert await neighbours.statuses_of_executions() == ["succeeded"]
    assert set(folded_state(gateway.log).deployments) == {str(promotion_of(event))}
