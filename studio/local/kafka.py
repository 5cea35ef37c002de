"""The local stack's Kafka: the embedded broker or an Apache Kafka, kept running, its address kept in a file.

The embedded broker's data die with it, and its successor has another address; Apache Kafka keeps both.
"""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from schemas.topics import DEFAULT_PARTITIONS, all_topics
from studio.local.apache_kafka import ApacheKafka
from studio.local.broker import EmbeddedBroker
from studio.local.data_folder import DataFolder
from studio.local.private_files import write_private

Flavour = Literal["embedded", "apache"]

EMBEDDED_NOTICE = (
    "The Kafka broker is embedded and in memory: its records die with it, each partition keeps the newest 5 MiB, and "
    "each service runs once. What was accepted over HTTP lies in PostgreSQL and is kept. Not for production."
)
_PAUSE_SECONDS = 0.2


class Kafka(Protocol):
    """A broker that can die and be brought back."""

    notice: str | None

    @property
    def pids(self) -> dict[str, int]:
        """Process id of the broker, or of each of its nodes, by name."""

    @property
    def bootstrap(self) -> str:
        """Address for clients."""

    def start(self, *, partitions: int = DEFAULT_PARTITIONS) -> None:
        """Start with all topics there, new ones with so many partitions; blocks."""

    def revive(self) -> None:
        """Bring back what has died; blocks."""

    def stop(self) -> None:
        """Stop; blocks."""

    async def wait_died(self) -> int:
        """Return the exit status when it has died."""


class EmbeddedKafka:
    """The embedded broker; it ends by itself when this process does."""

    notice: str | None = EMBEDDED_NOTICE

    def __init__(self) -> None:
        self._broker = EmbeddedBroker(all_topics(), partitions=DEFAULT_PARTITIONS)

    @property
    def pids(self) -> dict[str, int]:
        """Process id of the broker."""
        return {"kafka": self._broker.pid}

    @property
    def bootstrap(self) -> str:
        """Address for clients, another after each revival."""
        return self._broker.bootstrap

    def start(self, *, partitions: int = DEFAULT_PARTITIONS) -> None:
        """Start an empty broker with all topics."""
        self._broker = EmbeddedBroker(all_topics(), partitions=partitions)
        self._broker.start()

    def revive(self) -> None:
        """Start another, empty again."""
        self._broker.stop()
        self._broker.start()

    def stop(self) -> None:
        """Stop it and forget its data."""
        self._broker.stop()

    async def wait_died(self) -> int:
        """Return the exit status when it has died."""
        return await self._broker.wait_died()


class LocalApacheKafka:
    """An Apache Kafka with its data in `folder`; of three nodes it goes on without any one."""

    notice: str | None = None

    def __init__(self, folder: DataFolder, guard: Callable[[int], None], *, brokers: int) -> None:
        self._kafka = ApacheKafka(folder.apache_kafka, brokers=brokers)
        self._guard = guard

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the nodes: kafka, kafka-2, kafka-3."""
        names = ("kafka", *(f"kafka-{number}" for number in range(2, len(self._kafka.pids) + 1)))
        return dict(zip(names, self._kafka.pids, strict=True))

    @property
    def bootstrap(self) -> str:
        """Address for clients, the same after each revival."""
        return self._kafka.bootstrap

    def start(self, *, partitions: int = DEFAULT_PARTITIONS) -> None:
        """Start with the data of the last run; topics that are there keep the partitions that they have."""
        self._kafka.start()
        self._guard_nodes()
        self._kafka.create_topics(list(all_topics()), partitions)

    def revive(self) -> None:
        """Start the nodes that died again, on the same ports and data."""
        self._kafka.revive()
        self._guard_nodes()

    def stop(self) -> None:
        """Stop it, keeping its data."""
        self._kafka.stop()

    async def wait_died(self) -> int:
        """Return the exit status when it, or one of its nodes, has died."""
        return await self._kafka.wait_died()

    def _guard_nodes(self) -> None:
        for pid in self._kafka.pids:
            self._guard(pid)


def publish_address(kafka: Kafka, folder: DataFolder) -> None:
    """Write the broker's address to where services read it."""
    write_private(folder.bootstrap_file, f"{kafka.bootstrap}\n")


async def keep_running(
    kafka: Kafka,
    folder: DataFolder,
    *,
    say: Callable[[str], None],
    revived: Callable[[], None],
) -> None:
    """Bring the broker back whenever it dies, write its address where services look for it, and call `revived`."""
    while True:
        status = await kafka.wait_died()
        say(f"the Kafka broker died (status {status}); starting another")
        while not await _revived(kafka, say):  # noqa: ASYNC110 - a machine that recovers sets no event
            await asyncio.sleep(_PAUSE_SECONDS)
        publish_address(kafka, folder)
        say(f"the Kafka broker is back at {kafka.bootstrap}")
        revived()


async def _revived(kafka: Kafka, say: Callable[[str], None]) -> bool:
    try:
        await asyncio.to_thread(kafka.revive)
    except Exception as error:  # noqa: BLE001 - a machine short of something now may have it soon
        say(f"the Kafka broker did not start: {error}")
        return False
    return True
