"""A real Apache Kafka: what the embedded broker cannot do, and that its data outlive its processes."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from studio.local.apache_kafka import ApacheKafka
from studio.local.folder_lock import FolderInUseError
from studio.local.kafka_admin import TopicError, create_topics
from studio.local.trouble import StartError

pytestmark = pytest.mark.apache_kafka

TOPIC = "letters"
LETTERS = {str(number).encode() for number in range(200)}


async def test_two_members_of_a_group_share_the_partitions_and_miss_nothing(own_apache_kafka: ApacheKafka) -> None:
    own_apache_kafka.create_topics([TOPIC], 12)
    await send_letters(own_apache_kafka.bootstrap)
    seen: set[bytes] = set()
    one, two = member(own_apache_kafka.bootstrap), member(own_apache_kafka.bootstrap)
    async with one, two:
        async with asyncio.timeout(30):
            while seen != LETTERS or not (one.assignment() and two.assignment()):
                for consumer in (one, two):
                    seen |= await read_some(consumer)

        assert len(one.assignment()) + len(two.assignment()) == 12
        assert one.assignment().isdisjoint(two.assignment())


async def test_records_and_commits_survive_a_kill_and_a_restart(own_apache_kafka: ApacheKafka) -> None:
    own_apache_kafka.create_topics([TOPIC], 12)
    await send_letters(own_apache_kafka.bootstrap)
    read_before = await read_until(own_apache_kafka.bootstrap, LETTERS)

    own_apache_kafka.kill()
    own_apache_kafka.start()
    async with AIOKafkaProducer(bootstrap_servers=own_apache_kafka.bootstrap) as producer:
        await producer.send_and_wait(TOPIC, b"after")
    read_after = await read_until(own_apache_kafka.bootstrap, {b"after"})

    assert read_before == LETTERS
    assert read_after == {b"after"}


async def test_the_same_folder_serves_on_other_ports_later(tmp_path: Path) -> None:
    first = ApacheKafka(tmp_path / "kafka")
    first.start()
    first.create_topics([TOPIC], 3)
    await send_letters(first.bootstrap)
    first.stop()

    second = ApacheKafka(tmp_path / "kafka")
    second.start()
    read = await read_until(second.bootstrap, LETTERS)
    second.stop()

    assert read == LETTERS


def test_creating_topics_twice_is_harmless_and_too_few_partitions_are_reported(
    own_apache_kafka: ApacheKafka,
) -> None:
    own_apache_kafka.create_topics([TOPIC], 3)
    own_apache_kafka.create_topics([TOPIC], 3)

    with pytest.raises(TopicError, match="'letters': 3"):
        create_topics(own_apache_kafka.bootstrap, [TOPIC], partitions=12, timeout_seconds=0.2)


def test_a_folder_in_use_is_refused_and_left_running(own_apache_kafka: ApacheKafka) -> None:
    with pytest.raises(FolderInUseError):
        ApacheKafka(own_apache_kafka.folder).start()

    assert own_apache_kafka.is_running()


def test_data_of_one_broker_are_not_started_as_three(own_apache_kafka: ApacheKafka) -> None:
    own_apache_kafka.stop()

    with pytest.raises(StartError, match="of 1 broker"):
        ApacheKafka(own_apache_kafka.folder, brokers=3).start()


def member(bootstrap: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )


async def send_letters(bootstrap: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await asyncio.gather(*[await producer.send(TOPIC, letter, key=letter) for letter in LETTERS])


async def read_some(consumer: AIOKafkaConsumer) -> set[bytes]:
    batch = await consumer.getmany(timeout_ms=200)
    return {record.value for records in batch.values() for record in records}


async def read_until(bootstrap: str, wanted: set[bytes]) -> set[bytes]:
    seen: set[bytes] = set()
    async with member(bootstrap) as consumer, asyncio.timeout(30):
        while not wanted <= seen:
            seen |= await read_some(consumer)
        await consumer.commit()
    return seen
