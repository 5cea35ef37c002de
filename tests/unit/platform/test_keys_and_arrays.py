"""What is done by hand for speed agrees with what it stands in for."""

import random

from aiokafka.partitioner import murmur2
from asyncpg.protocol import protocol

from services.platform import database
from services.platform.messaging.producer import partition_of


def test_a_key_has_the_partition_that_every_kafka_client_gives_it() -> None:
    chance = random.Random(7)
    keys = [chance.randbytes(size) for size in range(70) for _ in range(20)]

    found = [partition_of(key, 12) for key in keys]

    assert found == [(murmur2(key) & 0x7FFFFFFF) % 12 for key in keys]
    assert partition_of(None, 12) == partition_of(b"", 12)


def test_the_driver_still_has_what_is_replaced_in_it() -> None:
    assert database.array is protocol

    assert {"IterableABC", "SizedABC"} <= vars(protocol).keys()
    assert isinstance([], protocol.IterableABC)
    assert not isinstance("text", protocol.IterableABC)
