"""What is remembered of who came is bounded, whoever comes."""

from datetime import UTC, datetime
from typing import Any

from services.platform.identity import CACHE_SIZE, ApiKey, KeyRing
from services.platform.messaging.gate import Gate

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Strangers(KeyRing):
    """Knows nobody."""

    async def _look_up(self, identifier: str, presented: bytes, now: datetime) -> ApiKey | None:
        return None


class Nothing:
    """A connection on which no query finds anything."""

    async def execute(self, _statement: Any, _parameters: Any) -> list[Any]:
        return []


async def test_of_keys_that_nobody_has_only_so_many_are_remembered() -> None:
    ring = Strangers(None, "p" * 32, lambda: NOW)  # type: ignore[arg-type]

    for number in range(CACHE_SIZE + 100):
        assert await ring.verify(f"pk_{number}_secret") is None

    assert len(ring._known) <= CACHE_SIZE


async def test_of_signers_whom_nobody_knows_only_so_many_are_remembered() -> None:
    gate, connection = Gate("p" * 32), Nothing()

    for number in range(CACHE_SIZE // 500 + 2):
        await gate.learn(connection, [f"key{number}x{each}" for each in range(500)], NOW)  # type: ignore[arg-type]

    assert len(gate._known) <= CACHE_SIZE
