"""The way of one promotion as a list of steps, each of one process, and what each step does if it comes again.

Points lie before each statement, before and after each commit, and around each record that is published. Between two
points a process does nothing that others see, so that to die between them is to die at the second.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from schemas.resources import RuleWrite
from schemas.topics import DEPLOYMENT_COMPLETED, PROMOTION_APPROVED, PROMOTION_REQUESTED, RULES_EVALUATED
from services.promotion.domain.eligibility import Asked
from tests.simulation import checks, people
from tests.simulation.clockwork import Clock
from tests.simulation.scheduler import Scheduler
from tests.simulation.world import Plumbing, World

RULE = UUID(int=7)
ASKED = Asked("agent-1", "dep-1", "gw-stage", "staging")


@dataclass(frozen=True, slots=True)
class Step:
    """One step, of one process."""

    name: str
    owner: str
    act: Callable[["Play"], Awaitable[None]]


@dataclass
class Play:
    """One performance of a script on a world of its own."""

    world: World
    scheduler: Scheduler
    # What people want of the promotion, and ask for again where it came too early.
    wishes: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    async def prepare(cls, plumbing: Plumbing, clock: Clock) -> "Play":
        clock.begin()
        world = World(plumbing, clock, Random(1))
        await world.begin()
        scheduler = Scheduler(world)
        people.publish(world, people.announcement(world, "dep-1", "agent-1", "gw-dev"))
        for owner in ("inventory", "rules"):
            await world.consume(world.members[owner], DEPLOYMENT_COMPLETED, some=False, commit=True)
        written = RuleWrite.model_validate(
            {
                "name": "one approval, started by hand",
                "source_environment": "development",
                "target_environment": "staging",
                "required_approvers": 1,
                "execution": "manual",
            }
        )
        await people.write_rule(world, [], written, RULE)
        return cls(world, scheduler)

    async def perform(self, script: list[Step], *, fail: int, how: Callable[["Play", Step], Awaitable[None]]) -> None:
        """Take each step; before the step number ``fail`` comes ``how``."""
        for number, step in enumerate(script):
            if number == fail:
                await how(self, step)
            await step.act(self)

    async def end(self) -> dict[str, Any]:
        """Heal, ask again for what came too early, check every invariant, and give the promotion as it stands."""
        for name, actor in self.wishes:
            assert await self.scheduler.heal() == []
            await people.command(self.world, name, self.promotion_id, actor)
        assert await self.scheduler.heal() == []
        for member in self.world.members.values():
            await member.stop()
        (row,) = await self.world.rows("SELECT * FROM promotion.promotion")
        return dict(row)

    @property
    def promotion_id(self) -> UUID:
        created = next(told for told in self.world.told if told.command == "create" and told.answer)
        assert created.promotion_id is not None
        return created.promotion_id


def command(name: str, actor: str) -> Step:
    """Give a command until it is answered, as a client does that hears nothing."""

    async def act(play: Play) -> None:
        for _ in range(2):
            if name == "create":
                await people.create(play.world, asked=ASKED, actor=actor, key="key-1")
            else:
                play.wishes.append((name, actor))
                await people.command(play.world, name, play.promotion_id, actor)
            if play.world.told[-1].answer is not None:
                return

    return Step(f"{actor} {name}", "door", act)


def relays(owner: str) -> Step:
    async def act(play: Play) -> None:
        await play.world.relay(play.world.members[owner])

    return Step(f"{owner} relays", owner, act)


def consumes(owner: str, topic: str) -> Step:
    async def act(play: Play) -> None:
        await play.world.consume(play.world.members[owner], topic, some=False, commit=True)

    return Step(f"{owner} consumes {topic}", owner, act)


def runs(owner: str, loop: str) -> Step:
    async def act(play: Play) -> None:
        await play.world.loop(play.world.members[owner], loop)

    return Step(f"{owner} runs {loop}", owner, act)


def passes(seconds: float) -> Step:
    async def act(play: Play) -> None:
        await play.world.let_pass(seconds)

    return Step(f"{seconds} s pass", "executor", act)


async def _arrive(play: Play) -> None:
    for request in play.world.network.under_way:
        if request.honest is None:
            await checks.before_arrival(play.world, request)
            play.world.network.deliver(request)


async def _answer(play: Play) -> None:
    for request in list(play.world.network.under_way):
        if request.honest is not None:
            await play.world.reply(request)


ARRIVES = Step("the request arrives", "executor", _arrive)
ANSWERED = Step("the answer arrives", "executor", _answer)

ASKED_FOR = [
    command("create", "rita"),
    relays("promotion"),
    consumes("rules", PROMOTION_REQUESTED),
    relays("rules"),
    consumes("promotion", RULES_EVALUATED),
    relays("promotion"),
]
DEPLOYED = [
    *ASKED_FOR,
    command("approve", "ada"),
    command("execute", "rita"),
    relays("promotion"),
    consumes("executor", PROMOTION_APPROVED),
    runs("executor", "executions"),
    ARRIVES,
    ANSWERED,
    runs("executor", "executions"),
    relays("executor"),
    consumes("promotion", DEPLOYMENT_COMPLETED),
    consumes("inventory", DEPLOYMENT_COMPLETED),
    consumes("rules", DEPLOYMENT_COMPLETED),
    relays("promotion"),
    passes(6),
    runs("executor", "announcements"),
    runs("rules", "rules lookout"),
    runs("rules", "rules confirmation"),
    runs("promotion", "promotion redrive"),
]
REJECTED = [*ASKED_FOR, command("reject", "ada"), relays("promotion")]
CANCELLED = [*ASKED_FOR, command("approve", "ada"), command("cancel", "rita"), relays("promotion")]
