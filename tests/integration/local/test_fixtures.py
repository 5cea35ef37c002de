"""What the fixtures promise to every other test."""

import asyncpg
from aiokafka import AIOKafkaProducer

from schemas.topics import all_topics


async def test_a_database_is_migrated_and_takes_writes(database: str) -> None:
    connection = await asyncpg.connect(database)
    migrated = await connection.fetchval("SELECT to_regclass('platform.alembic_version')::text")
    await connection.execute("CREATE TABLE public.mine ()")
    await connection.close()

    assert migrated == "platform.alembic_version"


async def test_a_database_shows_nothing_of_another_test(database: str) -> None:
    connection = await asyncpg.connect(database)
    left_over = await connection.fetchval("SELECT to_regclass('public.mine')::text")
    await connection.close()

    assert left_over is None


async def test_the_broker_has_every_topic_of_the_project(kafka_bootstrap: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        partitions = {topic: await producer.partitions_for(topic) for topic in all_topics()}

    assert partitions == {topic: set(range(12)) for topic in all_topics()}
