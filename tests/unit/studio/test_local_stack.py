"""The local stack looks after what it started, whatever a new start fails of."""

import asyncio
from pathlib import Path

from studio.local.data_folder import DataFolder
from studio.local.kafka import keep_running
from studio.local.stack import LocalStack, StackOptions


class FullDisk:
    """A PostgreSQL that cannot be started, for a reason that is the machine's."""

    def start(self) -> None:
        raise OSError(28, "No space left on device")

    def stop(self) -> None:
        """Nothing runs."""


async def test_a_machine_that_cannot_start_postgresql_now_is_asked_again(tmp_path: Path) -> None:
    said: list[str] = []
    stack = LocalStack(StackOptions(data_folder=tmp_path), said.append)
    stack._postgres = FullDisk()  # type: ignore[assignment]

    revived = await stack._postgres_revived()

    assert not revived
    assert said == ["PostgreSQL did not start: [Errno 28] No space left on device"]


class MortalKafka:
    """A broker that dies once, and comes back at the address that it had."""

    notice: str | None = None
    bootstrap = "127.0.0.1:9092"

    def __init__(self) -> None:
        self.pids = {"kafka": 1}
        self._lives = 0

    def start(self) -> None:
        """Nothing to start."""

    def revive(self) -> None:
        self.pids = {"kafka": 2}

    def stop(self) -> None:
        """Nothing runs."""

    async def wait_died(self) -> int:
        self._lives += 1
        if self._lives > 1:
            await asyncio.Event().wait()
        return -9


async def test_a_broker_that_is_back_at_its_old_address_is_told_of_as_well(tmp_path: Path) -> None:
    kafka, told = MortalKafka(), asyncio.Queue[dict[str, int]]()
    keeper = asyncio.create_task(
        keep_running(
            kafka,
            DataFolder.open(tmp_path),
            say=lambda _: None,
            revived=lambda: told.put_nowait(kafka.pids),
        )
    )
    shown = await asyncio.wait_for(told.get(), 5)
    keeper.cancel()

    assert shown == {"kafka": 2}
