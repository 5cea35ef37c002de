"""The local stack looks after what it started, whatever a new start fails of."""

from pathlib import Path

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
