"""Reads every topic raw from the first record to the last, whatever becomes of the broker; changes nothing."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.cloudevents import EncodedRecord
from schemas.topics import CONSUMED_BY, DEFAULT_PARTITIONS, EVENT_TOPICS, consumer_group

_QUIET: dict[str, Any] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "reconnect.backoff.max.ms": 200,
    "socket.timeout.ms": 3000,
    "log_level": 0,
}
_PARTITIONS = range(DEFAULT_PARTITIONS)


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as it lay on its topic."""

    record: EncodedRecord
    partition: int
    offset: int
    timestamp_ms: int
    seen_at: float

    @property
    def identifier(self) -> str:
        """Give its CloudEvents id, empty where it has none that can be read."""
        return next((raw.decode("latin-1") for name, raw in self.record.headers if name == "ce_id" and raw), "")


@dataclass
class Witness:
    """A thread that follows the broker to wherever ``bootstrap_file`` says that it is."""

    bootstrap_file: Path
    seen: list[Seen] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._follow, name="witness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(10)

    def _follow(self) -> None:
        while not self._ending.is_set():
            bootstrap = self._bootstrap()
            consumer = Consumer({**_QUIET, "bootstrap.servers": bootstrap, "group.id": "witness"})
            try:
                consumer.assign([TopicPartition(topic, number, 0) for topic in EVENT_TOPICS for number in _PARTITIONS])
                while not self._ending.is_set() and self._bootstrap() == bootstrap:
                    self._note(consumer.consume(500, timeout=0.1))
            except KafkaException:
                time.sleep(0.1)
            finally:
                consumer.close()

    def _note(self, messages: Sequence[Any]) -> None:
        now = time.time()
        self.seen += [
            Seen(
                EncodedRecord(
                    message.topic(), message.key(), tuple(map(tuple, message.headers() or ())), message.value()
                ),
                message.partition(),
                message.offset(),
                message.timestamp()[1],
                now,
            )
            for message in messages
            if message.error() is None
        ]

    def _bootstrap(self) -> str:
        return self.bootstrap_file.read_text(encoding="ascii").strip()


def waiting(bootstrap: str) -> dict[str, int]:
    """Count, by consumer group, the records that lie behind its committed offsets. Raises KafkaException."""
    return {
        consumer_group(service, topic): _waiting_for(bootstrap, consumer_group(service, topic), topic)
        for service, topics in CONSUMED_BY.items()
        for topic in topics
    }


def _waiting_for(bootstrap: str, group: str, topic: str) -> int:
    consumer = Consumer({**_QUIET, "bootstrap.servers": bootstrap, "group.id": group})
    try:
        committed = consumer.committed([TopicPartition(topic, number) for number in _PARTITIONS], timeout=3)
        return sum(_behind(consumer, place) for place in committed)
    finally:
        consumer.close()


def _behind(consumer: Consumer, committed: TopicPartition) -> int:
    low, high = consumer.get_watermark_offsets(committed, timeout=3)
    return int(high - max(low, committed.offset))
