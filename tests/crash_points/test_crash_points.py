"""Every point of every step: the process dies there, or its connection is cut there; nothing is lost or doubled."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from studio.local.postgres import EmbeddedPostgres
from tests.crash_points.script import ASKED_FOR, CANCELLED, DEPLOYED, REJECTED, Play, Step
from tests.simulation.clockwork import Clock, SimulatedLoop
from tests.simulation.fuses import Crash, Cut
from tests.simulation.runs import quiet
from tests.simulation.world import Plumbing

Stage = Callable[[Callable[[Plumbing, Clock], Coroutine[Any, Any, None]]], None]
EXPECTED = {"completed": DEPLOYED, "rejected": REJECTED, "cancelled": CANCELLED}


# A lost connection takes the same ways back as a death, but for the process that lives on: tried in the long form.
ERRORS = [Crash, Cut] if os.environ.get("CRASH_POINTS") == "all" else [Crash]


@pytest.fixture(scope="module")
def stage(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Stage]:
    """Runs what it is given in a loop whose time stands still, all on one database that is emptied in between."""
    postgres_server.create_database("crash_points", template=migrated_template)
    clock = Clock()
    with quiet(), asyncio.Runner(loop_factory=lambda: SimulatedLoop(clock)) as runner:
        plumbing = runner.run(Plumbing.lay(postgres_server.dsn_for("crash_points")))
        yield lambda perform: runner.run(perform(plumbing, clock))
        runner.run(plumbing.close())
    postgres_server.drop_database("crash_points")


def steps_of(scripts: dict[str, list[Step]]) -> list[Any]:
    return [
        pytest.param(end, number, id=f"{end}-{number:02}-{step.name}")
        for end, script in scripts.items()
        for number, step in enumerate(script)
        # How it is asked for is the same in all of them.
        if script is DEPLOYED or number >= len(ASKED_FOR)
    ]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("end", "number"), steps_of(EXPECTED))
def test_a_fault_at_any_point_of_a_step_changes_nothing_of_its_end(
    stage: Stage, end: str, number: int, error: type[BaseException]
) -> None:
    async def perform_all(plumbing: Plumbing, clock: Clock) -> None:
        point = 0
        while await perform(plumbing, clock, point):
            point += 1

    async def perform(plumbing: Plumbing, clock: Clock, point: int) -> bool:
        async def set_fuse(play: Play, step: Step) -> None:
            plumbing.fuses[step.owner].set(point, error)

        play = await Play.prepare(plumbing, clock)
        await play.perform(EXPECTED[end], fail=number, how=set_fuse)
        blown = plumbing.fuses[EXPECTED[end][number].owner].blown is not None
        row = await play.end()
        assert end in (row["status"], row["status_reason"]), (point, row["status"], row["status_reason"])
        return blown

    stage(perform_all)


@pytest.mark.parametrize("member", ["promotion", "executor"])
@pytest.mark.parametrize(("end", "number"), steps_of({"completed": DEPLOYED}))
def test_a_process_killed_between_any_two_steps_loses_nothing(stage: Stage, end: str, number: int, member: str) -> None:
    async def perform(plumbing: Plumbing, clock: Clock) -> None:
        async def kill(play: Play, _step: Step) -> None:
            await play.world.restart(member)

        play = await Play.prepare(plumbing, clock)
        await play.perform(EXPECTED[end], fail=number, how=kill)
        row = await play.end()
        assert row["status"] == end

    stage(perform)


@pytest.mark.parametrize(("end", "number"), steps_of(EXPECTED))
def test_a_broker_that_loses_all_its_data_between_any_two_steps_loses_no_promotion(
    stage: Stage, end: str, number: int
) -> None:
    async def perform(plumbing: Plumbing, clock: Clock) -> None:
        async def wipe(play: Play, _step: Step) -> None:
            play.world.broker.wipe()

        play = await Play.prepare(plumbing, clock)
        await play.perform(EXPECTED[end], fail=number, how=wipe)
        row = await play.end()
        assert end in (row["status"], row["status_reason"])

    stage(perform)
