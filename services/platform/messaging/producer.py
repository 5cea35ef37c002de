"""Publishing to Kafka: records grouped by partition, acknowledged by all replicas, or an error.

After any error the client is thrown away and made anew: an idempotent producer cannot be trusted past one.
"""

import asyncio
import contextlib
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.cloudevents import EncodedRecord
from services.platform.messaging.kafka_security import aiokafka_security
from services.platform.messaging.signatures import Sign, outgoing, signer_of_services
from services.platform.settings import Settings
from services.platform.telemetry import PUBLISHED

# Of Kafka's hash of keys.
_SEED, _FACTOR, _32_BITS = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF
BATCH_BYTES = 131_072
MAX_REQUEST_BYTES = 2_097_152


class PublishFailed(Exception):
    """Kafka did not acknowledge everything; what was sent may arrive all the same, so send it all again."""


class PublishRefused(Exception):
    """Kafka will never take one of the records; ``code`` is a stable word for why. The others may have arrived."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


# Refusals of what was sent, which another attempt does not change.
_REFUSALS: Mapping[type[BaseException], str] = MappingProxyType(
    {
        MessageSizeTooLargeError: "too_large",
        RecordListTooLargeError: "too_large",
        InvalidTopicError: "refused_by_kafka",
        InvalidTimestampError: "refused_by_kafka",
        UnsupportedForMessageFormatError: "refused_by_kafka",
    }
)


class Publisher:
    """Publishes batches; safe to use from one task at a time.

    ``bootstrap_servers`` is asked at each connection; ``sign`` signs every record, where records are signed.
    """

    def __init__(
        self,
        bootstrap_servers: Callable[[], str],
        *,
        service: str,
        timeout_seconds: float = 10.0,
        sign: Sign | None = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._service = service
        self._timeout_seconds = timeout_seconds
        self._sign = sign
        self._security = dict(security or {})
        self._producer: AIOKafkaProducer | None = None

    async def publish(self, records: Sequence[EncodedRecord]) -> None:
        """Publish ``records``, in order within each partition, and wait until all are acknowledged.

        Raises PublishFailed when that did not happen within the time-out, PublishRefused when it never will.
        """
        records = [outgoing(record, self._sign) for record in records]
        acknowledgements: list[asyncio.Future[object]] = []
        try:
            async with asyncio.timeout(self._timeout_seconds):
                producer = await self._connected()
                await self._send(producer, records, acknowledgements)
                await asyncio.gather(*acknowledgements)
        except Exception as error:
            await self.close()
            raise _failure(error, acknowledgements) from error
        for topic, count in Counter(record.topic for record in records).items():
            PUBLISHED.labels(self._service, topic).inc(count)

    async def close(self) -> None:
        """Drop the connection; the next publication makes a new one."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):
                await producer.stop()
        with contextlib.suppress(Exception):
            await producer.client.close()

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers(),
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                max_batch_size=BATCH_BYTES,
                max_request_size=MAX_REQUEST_BYTES,
                request_timeout_ms=int(self._timeout_seconds * 1000),
                **self._security,
            )
            self._producer = producer
            await producer.start()
        return self._producer

    async def _send(
        self,
        producer: AIOKafkaProducer,
        records: Sequence[EncodedRecord],
        acknowledgements: list[asyncio.Future[object]],
    ) -> None:
        for (topic, partition), group in (await _by_partition(producer, records)).items():
            await _send_group(producer, topic, partition, group, acknowledgements)


def _failure(error: Exception, acknowledgements: Sequence[asyncio.Future[object]]) -> PublishFailed | PublishRefused:
    # Behind a refusal Kafka may answer in any way, or not in time; so a refusal is what counts.
    answers = [answer.exception() for answer in acknowledgements if answer.done() and not answer.cancelled()]
    for answer in (*answers, error):
        if answer is not None and type(answer) in _REFUSALS:
            return PublishRefused(_REFUSALS[type(answer)], f"{type(answer).__name__}: {answer}")
    return PublishFailed(f"{type(error).__name__}: {error}")


async def _by_partition(
    producer: AIOKafkaProducer, records: Sequence[EncodedRecord]
) -> dict[tuple[str, int], list[EncodedRecord]]:
    counts: dict[str, int] = {}
    groups: dict[tuple[str, int], list[EncodedRecord]] = defaultdict(list)
    for record in records:
        if record.topic not in counts:
            counts[record.topic] = len(await producer.partitions_for(record.topic))
        groups[record.topic, partition_of(record.key, counts[record.topic])].append(record)
    return groups


# Several events of one batch have the same key, and the hash is computed in Python.
@lru_cache(maxsize=10_000)
def partition_of(key: bytes | None, partitions: int) -> int:
    """Give the partition of ``key`` as every Kafka client of the default partitioner would."""
    return (_murmur2(key or b"") & 0x7FFFFFFF) % partitions


def _murmur2(key: bytes) -> int:
    # Kafka's hash, a word at a time: the client's own goes byte by byte and takes twice as long.
    words = len(key) >> 2
    hashed = _SEED ^ len(key)
    for word in struct.unpack_from(f"<{words}I", key):
        mixed = word * _FACTOR & _32_BITS
        hashed = (hashed * _FACTOR & _32_BITS) ^ ((mixed ^ (mixed >> 24)) * _FACTOR & _32_BITS)
    if rest := key[words << 2 :]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _FACTOR & _32_BITS
    hashed = (hashed ^ (hashed >> 13)) * _FACTOR & _32_BITS
    return hashed ^ (hashed >> 15)


async def _send_group(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    records: Sequence[EncodedRecord],
    acknowledgements: list[asyncio.Future[object]],
) -> None:
    batch = producer.create_batch()
    for record in records:
        if not _append(batch, record):
            acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            _append(batch, record)
    acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))


def _append(batch: BatchBuilder, record: EncodedRecord) -> bool:
    # An empty batch takes its first record whatever its size.
    metadata = batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
    return metadata is not None


def publisher_for(settings: Settings, service: str) -> Publisher:
    """Give what publishes ``service``'s records as the settings say: signed where the broker is not trusted."""
    pepper = settings.key_pepper.get_secret_value()
    return Publisher(
        settings.bootstrap_servers,
        service=service,
        sign=None if settings.kafka_trust == "broker" else signer_of_services(pepper),
        security=aiokafka_security(settings),
    )
