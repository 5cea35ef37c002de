"""A broker in memory: logs by partition, at-least-once from committed offsets, and data that can be lost whole.

What was ever acknowledged is remembered apart from the logs, so that a checker can read it after a loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from schemas.cloudevents import EncodedRecord
from services.platform.messaging.dead_letters import Record
from services.platform.messaging.producer import PublishFailed, partition_of
from tests.simulation.fuses import Fuse

PARTITIONS = 3


@dataclass(slots=True)
class Group:
    """Where one consumer group stands in each partition of its topic."""

    topic: str
    position: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    committed: list[int] = field(default_factory=lambda: [0] * PARTITIONS)


class Broker:
    """All topics and groups."""

    def __init__(self) -> None:
        self._logs: dict[str, list[list[Record]]] = {}
        self._groups: dict[str, Group] = {}
        self.ever: list[EncodedRecord] = []
        self.away = False
        self.epoch = 0

    def join(self, name: str, topic: str) -> None:
        self._groups[name] = Group(topic)

    def append(self, record: EncodedRecord, *, timestamp_ms: int) -> None:
        partitions = self._logs.setdefault(record.topic, [[] for _ in range(PARTITIONS)])
        number = partition_of(record.key, PARTITIONS)
        log = partitions[number]
        self.ever.append(record)
        log.append(
            Record(record.topic, number, len(log), timestamp_ms, record.key, record.headers, record.value)
        )  # fmt: skip

    def waiting(self, name: str) -> int:
        group = self._groups[name]
        partitions = self._logs.get(group.topic, [])
        return sum(len(log) - at for log, at in zip(partitions, group.position, strict=False))

    def fetch(self, name: str, random: Random | None) -> list[Record]:
        """Give the next records: all of them, or with ``random`` some of some partitions, each in its order."""
        group = self._groups[name]
        records: list[Record] = []
        for number, log in enumerate(self._logs.get(group.topic, [])):
            waiting = log[group.position[number] :]
            if random is not None and waiting:
                waiting = waiting[: random.randint(0, min(len(waiting), 5))]
            records += waiting
        return records

    def handled(self, name: str, records: Sequence[Record], *, commit: bool) -> None:
        """Move on past ``records``; uncommitted, a restart of the group repeats them."""
        group = self._groups[name]
        for record in records:
            group.position[record.partition] = max(group.position[record.partition], record.offset + 1)
        if commit:
            group.committed = list(group.position)

    def restart(self, name: str) -> None:
        """Have the group begin again where it committed last, as after a crash or a rebalance."""
        group = self._groups[name]
        group.position = list(group.committed)

    def wipe(self) -> None:
        """Lose everything: logs, offsets and groups; offsets begin again at 0."""
        self._logs.clear()
        self.epoch += 1
        for group in self._groups.values():
            group.position, group.committed = [0] * PARTITIONS, [0] * PARTITIONS


class FakePublisher:
    """Publishes to the fake broker, past the points of ``fuse``: before and after each record.

    ``fail_after`` has the next batch fail when that many records were taken.
    """

    def __init__(self, broker: Broker, fuse: Fuse, timestamp_ms: Callable[[], int]) -> None:
        self._broker = broker
        self._fuse = fuse
        self._timestamp_ms = timestamp_ms
        self.fail_after: int | None = None
        self.published: list[EncodedRecord] = []

    async def publish(self, records: Sequence[EncodedRecord]) -> None:
        limit, self.fail_after = self.fail_after, None
        if self._broker.away:
            raise PublishFailed("the broker is away")
        for record in records if limit is None else records[:limit]:
            self._fuse.point("before a record is published")
            self._broker.append(record, timestamp_ms=self._timestamp_ms())
            self.published.append(record)
        self._fuse.point("after all records were published")
        if limit is not None:
            raise PublishFailed("not everything was acknowledged")

    async def close(self) -> None:
        return None
