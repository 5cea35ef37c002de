"""Loops of a service: woken by what was committed, and not more often than they are to be."""

import asyncio
from itertools import count

from services.platform.service import Loop, _run_loop


async def test_what_wakes_a_paced_loop_soon_after_a_step_is_done_in_one_more() -> None:
    steps: list[int] = []
    done = asyncio.Event()

    async def step() -> float:
        steps.append(len(wakes))
        done.set()
        return 60.0

    wakes: list[int] = []
    loop = Loop("paced", step, pace_seconds=0.5)
    running = asyncio.create_task(_run_loop("probe", loop))
    await done.wait()
    done.clear()
    for number in range(3):
        wakes.append(number)
        loop.wake.set()
        await asyncio.sleep(0)

    await done.wait()
    running.cancel()

    assert steps == [0, 3]


async def test_a_loop_that_has_more_to_do_goes_on_whatever_its_pace() -> None:
    numbers = count(1)
    done = asyncio.Event()

    async def step() -> float:
        if next(numbers) == 100:
            done.set()
        return 0.0 if not done.is_set() else 60.0

    running = asyncio.create_task(_run_loop("probe", Loop("busy", step, pace_seconds=3600.0)))
    async with asyncio.timeout(10):
        await done.wait()
    running.cancel()
