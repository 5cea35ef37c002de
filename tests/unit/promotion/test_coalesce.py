"""Group commit: what arrives meanwhile goes together, and each caller gets its own outcome or error."""

import asyncio
from collections.abc import Sequence

import pytest

from services.promotion.coalesce import Coalescer


class Runs:
    """Runs batches when it is let, and remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def run(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.open.wait()
        if any(item < 0 for item in items):
            raise ValueError(f"negative: {items}")
        return [item * 10 for item in items]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_arrives_while_one_batch_runs_goes_together_in_the_next() -> None:
    runs = Runs()
    coalescer = Coalescer(runs.run)
    asked = [asyncio.create_task(coalescer.submit(item)) for item in (1, 2, 3)]
    await settled()
    asked += [asyncio.create_task(coalescer.submit(item)) for item in (4, 5)]
    await settled()

    runs.open.set()

    assert await asyncio.gather(*asked) == [10, 20, 30, 40, 50]
    assert runs.batches == [[1, 2, 3], [4, 5]]


async def test_a_bad_item_fails_alone() -> None:
    runs = Runs()
    runs.open.set()
    coalescer = Coalescer(runs.run)

    outcomes = await asyncio.gather(*(coalescer.submit(item) for item in (1, -2, 3)), return_exceptions=True)

    assert outcomes[0] == 10
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] == 30


async def test_an_outage_is_everybodys_and_is_not_tried_item_by_item() -> None:
    calls = 0

    async def down(items: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise ConnectionError("away")

    coalescer = Coalescer(down)

    outcomes = await asyncio.gather(*(coalescer.submit(item) for item in (1, 2, 3)), return_exceptions=True)

    assert all(isinstance(outcome, ConnectionError) for outcome in outcomes)
    assert calls == 1


async def test_a_caller_that_goes_away_does_not_disturb_the_others() -> None:
    runs = Runs()
    coalescer = Coalescer(runs.run)
    gone, stays = (asyncio.create_task(coalescer.submit(item)) for item in (1, 2))
    await settled()

    gone.cancel()
    runs.open.set()

    assert await stays == 20
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_batches_are_bounded_and_every_item_has_its_turn() -> None:
    runs = Runs()
    runs.open.set()
    coalescer = Coalescer(runs.run, largest_batch=3)

    for _ in range(20):
        assert await asyncio.gather(*(coalescer.submit(item) for item in range(7))) == [i * 10 for i in range(7)]

    assert max(len(batch) for batch in runs.batches) == 3


async def test_a_batch_that_takes_long_does_not_stop_the_next() -> None:
    runs = Runs()
    coalescer = Coalescer(runs.run)
    slow = asyncio.create_task(coalescer.submit(1))
    await settled()

    other = asyncio.create_task(coalescer.submit(2))
    await settled()

    assert runs.batches == [[1], [2]]
    runs.open.set()
    assert await asyncio.gather(slow, other) == [10, 20]


async def test_those_who_come_soon_after_a_batch_go_together() -> None:
    runs = Runs()
    runs.open.set()
    coalescer = Coalescer(runs.run, pace_seconds=0.5)

    await coalescer.submit(1)
    second = asyncio.create_task(coalescer.submit(2))
    await settled()
    third = asyncio.create_task(coalescer.submit(3))
    await asyncio.gather(second, third)

    assert runs.batches == [[1], [2, 3]]
