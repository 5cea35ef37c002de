"""The embedded broker: what it keeps, what it forgets, and that it never outlives who started it."""

import os
import signal
import subprocess
import sys

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from studio.local.broker import EmbeddedBroker
from studio.local.kafka_admin import answering_brokers
from studio.local.processes import wait_gone

TOPIC = "promotion.requested"


async def test_the_named_topics_have_the_wanted_partitions(own_broker: EmbeddedBroker) -> None:
    async with AIOKafkaProducer(bootstrap_servers=own_broker.bootstrap) as producer:
        partitions = await producer.partitions_for(TOPIC)

    assert partitions == set(range(12))


async def test_a_consumer_with_assigned_partitions_reads_and_resumes_where_it_committed(
    own_broker: EmbeddedBroker,
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=own_broker.bootstrap, enable_idempotence=True) as producer:
        for number in range(24):
            await producer.send_and_wait(TOPIC, str(number).encode(), key=str(number).encode())
    first = await read_all(own_broker.bootstrap, expected=24)

    async with AIOKafkaProducer(bootstrap_servers=own_broker.bootstrap) as producer:
        await producer.send_and_wait(TOPIC, b"later")
    second = await read_all(own_broker.bootstrap, expected=1)

    assert first == {str(number).encode() for number in range(24)}
    assert second == {b"later"}


async def test_a_killed_broker_is_noticed_and_its_successor_is_empty(own_broker: EmbeddedBroker) -> None:
    async with AIOKafkaProducer(bootstrap_servers=own_broker.bootstrap) as producer:
        await producer.send_and_wait(TOPIC, b"lost", partition=0)
    os.kill(own_broker.pid, signal.SIGKILL)

    assert await own_broker.wait_died() == -signal.SIGKILL
    assert not own_broker.is_running()
    own_broker.stop()
    own_broker.start()

    async with AIOKafkaConsumer(bootstrap_servers=own_broker.bootstrap) as consumer:
        partition = TopicPartition(TOPIC, 0)
        assert await consumer.end_offsets([partition]) == {partition: 0}


STARTS_AND_WAITS = """
import time
from studio.local.broker import EmbeddedBroker
from studio.local.kafka_admin import answering_brokers
from studio.local.processes import wait_gone
broker = EmbeddedBroker(["any"])
broker.start()
print(broker.pid, flush=True)
time.sleep(60)
"""


def test_a_killed_parent_takes_the_broker_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_AND_WAITS], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        broker = psutil.Process(int(parent.stdout.readline()))

        parent.kill()

        assert wait_gone([broker], patience_seconds=5) == []


def test_an_interrupt_meant_for_the_parent_does_not_end_the_broker(own_broker: EmbeddedBroker) -> None:
    os.kill(own_broker.pid, signal.SIGINT)

    assert answering_brokers(own_broker.bootstrap) == 1
    assert own_broker.is_running()


async def read_all(bootstrap: str, *, expected: int) -> set[bytes]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id="readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=5,
    )
    consumer.assign([TopicPartition(TOPIC, number) for number in range(12)])
    read: list[bytes] = []
    async with consumer:
        while len(read) < expected:
            batch = await consumer.getmany(timeout_ms=1000)
            read += [record.value for records in batch.values() for record in records]
        await consumer.commit()
    return set(read)
