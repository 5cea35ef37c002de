"""Chooses what happens next, by the seed alone; afterwards heals the world and waits until it rests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from schemas.resources import RuleWrite
from schemas.topics import consumer_group
from services.executor.domain.answers import Answer, NoAnswer
from services.promotion.domain.eligibility import Asked
from tests.simulation import people
from tests.simulation.checks import before_arrival, violations
from tests.simulation.fuses import Crash, Cut
from tests.simulation.gateway import Request, lies, refusal
from tests.simulation.world import World

CALL_TIMEOUT = timedelta(seconds=10)
# Long enough for every back-off, lease, deadline and hold of the settings that the simulation gives.
REST_SECONDS = (0.3, 0.5, 1, 2, 3, 3, 5, 10, 20, 40, 60, 60, 60, 0)
CONDITIONS: dict[str, Any] = {"field": "tests.pass_rate", "op": "gte", "value": 95}
METRIC: dict[str, Any] = {"field": "metrics.error_rate", "op": "lte", "value": 0.01, "max_age": "1m"}


@dataclass
class Scheduler:
    """One seed's course: ``turmoil`` steps of everything, then healing."""

    world: World
    clocks_jump: bool = False
    rules: list[UUID] = field(default_factory=list)
    deployments: dict[str, tuple[str, str]] = field(default_factory=dict)
    keys: list[tuple[str, Asked, str]] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)
    # What happened of the rare things, so that a run in which they did not is known for what it is.
    happened: dict[str, int] = field(default_factory=dict)
    # How long after the last fault everything was as it should be.
    recovery: timedelta = timedelta()

    async def turmoil(self, steps: int) -> None:
        for _ in range(self.world.random.randint(0, 3)):
            await self._rule()
        for _ in range(4):
            await self._announce()
        await self._prelude()
        last = self.world.steps + steps
        while self.world.steps < last:
            await self._one_step()

    async def _prelude(self) -> None:
        """Bring a few promotions as far as to the gateways, where most can go wrong."""
        while await self._members_move():
            pass
        for _ in range(self.world.random.randint(2, 5)):
            await people.create(self.world, asked=self._asked(), actor="rita", key=None)
        for told in [told for told in self.world.told if told.answer == "created"]:
            assert told.promotion_id is not None
            for name, actor in (("approve", "ada"), ("approve", "bob")):
                await people.command(self.world, name, told.promotion_id, actor)
        while await self._members_move():
            pass

    async def _one_step(self) -> None:
        random = self.world.random
        choices: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (45, self._work),
            (60 if self.world.network.under_way else 1, self._network),
            (8, self._command),
            (8, self._time),
            (6, self._create),
            (4, self._upstream),
            (3, self._trouble),
            (1, self._rule),
        ]
        (chosen,) = random.choices([act for _, act in choices], [weight for weight, _ in choices])
        await chosen()

    # What the system does

    async def _work(self) -> None:
        world, random = self.world, self.world.random
        jobs: list[Callable[[], Awaitable[object]]] = []
        for member in world.members.values():
            if member.paused:
                continue
            # What moves promotions on is likelier than what merely looks whether there is anything to do.
            for topic in member.processors:
                if world.broker.waiting(consumer_group(member.schema, topic)):
                    commit = random.random() < 0.9
                    jobs += 8 * [lambda m=member, t=topic, c=commit: world.consume(m, t, some=True, commit=c)]
            for name in member.due():
                jobs += (4 if name == "executions" else 1) * [lambda m=member, n=name: world.loop(m, n)]
            if member.consumes:
                jobs += (8 if member.has_news else 1) * [lambda m=member: world.relay(m)]
        if jobs:
            await random.choice(jobs)()

    async def _network(self) -> None:
        world, random = self.world, self.world.random
        for request in list(world.network.under_way):
            paused = world.members[request.owner].paused
            if not request.reply.done() and not paused and world.clock() - request.sent_at > CALL_TIMEOUT:
                await self._reply(request, NoAnswer("no answer within 10 s", sent=True), "times out")
        ready = [
            request
            for request in world.network.under_way
            if request.honest is None or request.reply.done() or not world.members[request.owner].paused
        ]
        if ready:
            await self._move(random.choice(ready))

    async def _move(self, request: Request) -> None:
        world, random = self.world, self.world.random
        unreachable = request.order.gateway_id in self.unreachable
        if request.honest is None and request.reply.done() and random.random() < 0.3:
            world.network.drop(request)
        elif request.honest is None and unreachable and request.reply.done():
            return
        elif request.honest is None and unreachable:
            world.network.drop(request)
            await self._reply(request, NoAnswer("no connection", sent=False), "finds nobody")
        elif request.honest is None and not request.reply.done() and random.random() < 0.12:
            # What was sent is still on its way, and may arrive when nobody reckons with it any more.
            await self._reply(request, NoAnswer("no answer in time", sent=True), "gives up")
        elif request.honest is None:
            await self._deliver(request)
        elif random.random() < 0.25:
            self._note("lies")
            await self._reply(request, random.choice(lies(request.honest, request.order)), "is lied to")
        else:
            await self._reply(request, None, "is answered")

    async def _deliver(self, request: Request) -> None:
        random = self.world.random
        chance = random.random()
        if chance < 0.06:
            self._note("errors before the effect")
            request.honest = lies_before()[random.randrange(2)]
            return
        if chance < 0.09 and request.call.name == "PUT" and not request.order.version.startswith("kept"):
            self._note("refusals")
            request.honest = refusal()
            return
        if request.reply.done():
            self._note("late arrivals")
        await before_arrival(self.world, request)
        entry = self.world.network.deliver(request)
        self.world.trace.append(f"{self.world.clock():%H:%M:%S.%f} arrives {request.name} {len(entry.effects)}")
        if chance > 0.75 and not request.reply.done():
            self._note("ambiguous answers")
            await self._reply(request, NoAnswer("reset", sent=True), "hears nothing")

    async def _reply(self, request: Request, answer: Any, how: str) -> None:
        world = self.world
        gone = request.reply.done()
        await world.step(
            f"{request.owner} {how}: {request.name}", lambda: world.reply(request, answer), owner=request.owner
        )
        if gone and request in world.network.under_way and request.honest is not None:
            world.network.drop(request)

    # What people and upstream services do

    async def _create(self) -> None:
        world, random = self.world, self.world.random
        asked, actor = self._asked(), random.choice(people.REQUESTERS)
        key = None
        if random.random() < 0.5:
            key = f"key-{len(self.keys)}"
            if self.keys and random.random() < 0.4:
                key, asked, actor = random.choice(self.keys)
                if random.random() < 0.15:
                    asked = self._asked()
            else:
                self.keys.append((key, asked, actor))
        await people.create(world, asked=asked, actor=actor, key=key)

    def _asked(self) -> Asked:
        random = self.world.random
        created = [entry for entry in self.world.network.log if entry.creates and entry.gateway_id == "gw-stage"]
        if created and random.random() < 0.4:
            entry = random.choice(created)
            found = self.world.network.gateways["gw-stage"].deployments.get(entry.key)
            if found is not None:
                return Asked(found.content.agent_id, entry.key, None, "production")
        deployment = random.choice(sorted(self.deployments))
        agent, _ = self.deployments[deployment]
        gateway = random.choice([None, "gw-stage"])
        return Asked(agent, deployment, gateway, "staging" if random.random() < 0.95 else "production")

    async def _command(self) -> None:
        world, random = self.world, self.world.random
        open_ = await world.rows(
            "SELECT id, status, status_reason FROM promotion.promotion WHERE status IN ('pending', 'approved') "
            "OR $1 ORDER BY created_at, id", random.random() < 0.15,
        )  # fmt: skip
        if not open_:
            return
        row = random.choice(open_)
        name = random.choices(["approve", "reject", "cancel", "execute"], [14, 1, 1, 5])[0]
        actor = random.choice(people.PEOPLE)
        await people.command(world, name, row["id"], actor, override=name == "approve" and random.random() < 0.25)
        if random.random() < 0.15:
            await people.command(world, name, row["id"], actor)

    async def _upstream(self) -> None:
        world, random = self.world, self.world.random
        deployment = random.choice(sorted(self.deployments))
        match random.randrange(9):
            case 0 | 8:
                await self._announce()
            case 1 | 2 | 7:
                people.publish(world, people.tests_of(world, deployment, good=random.random() < 0.7))
            case 3:
                people.publish(world, people.metrics_of(world, deployment, good=random.random() < 0.7))
            case 4:
                asked = self._asked()
                if random.random() < 0.2:
                    asked = Asked("agent-1", f"dep-{len(self.deployments) + 1}", None, "staging")
                event = people.request(world, asked)
                for _ in range(random.choice([1, 1, 2])):
                    people.publish(world, event)
            case 5:
                await self._forge()
            case 6:
                self._note("poison")
                people.publish(world, people.poison(world))

    async def _forge(self) -> None:
        rows = await self.world.rows("SELECT * FROM promotion.promotion ORDER BY created_at, id")
        if rows:
            self._note("forgeries")
            row = self.world.random.choice(rows)
            forge = self.world.random.choice([people.forged_order, people.forged_completion])
            people.publish(self.world, forge(self.world, row))

    async def _announce(self) -> None:
        random = self.world.random
        deployment, agent = f"dep-{len(self.deployments) + 1}", random.choice(people.AGENTS)
        gateway = random.choice(["gw-dev", "gw-dev-2"])
        self.deployments[deployment] = (agent, gateway)
        event = people.announcement(self.world, deployment, agent, gateway)
        for _ in range(random.choice([1, 1, 2])):
            people.publish(self.world, event)

    async def _rule(self) -> None:
        random = self.world.random
        hop = random.choice([("development", "staging"), ("staging", "production")])
        known = bool(self.rules) and random.random() < 0.5
        rule_id = random.choice(self.rules) if known else UUID(int=random.getrandbits(128), version=4)
        if known and random.random() < 0.3:
            await people.write_rule(self.world, self.rules, None, rule_id)
            return
        automatic = random.random() < 0.3
        conditions = random.choice([None, CONDITIONS, METRIC])
        if automatic:
            conditions = random.choice([CONDITIONS, METRIC])
        written = RuleWrite.model_validate(
            {
                "name": "rule",
                "source_environment": hop[0],
                "target_environment": hop[1],
                "requires_approval": random.random() < 0.5,
                "required_approvers": random.choice([1, 1, 2]),
                "auto_promote": automatic,
                "conditions": conditions,
                "execution": random.choice(["automatic", "automatic", "manual"]),
                "expires_after_seconds": random.choice([60, 3600]),
            }
        )
        await people.write_rule(self.world, self.rules, written, rule_id)

    # What goes wrong

    async def _time(self) -> None:
        random = self.world.random
        await self.world.let_pass(random.choice([0.01, 0.05, 0.2, 0.3, 0.3, 1.0, 1.0, 2.0, 6.0, 6.0, 15.0]))

    async def _trouble(self) -> None:
        world, random = self.world, self.world.random
        member = random.choice(list(world.members.values()))
        match random.randrange(10 if self.clocks_jump else 9):
            case 0 | 1 | 2:
                error = random.choice([Crash, Crash, Cut])
                self._note(f"fuses for a {error.__name__.lower()}")
                world.plumbing.fuses[member.name].set(random.randrange(9), error)
            case 3:
                self._note("fuses at the door")
                world.plumbing.fuses["door"].set(random.randrange(12), random.choice([Crash, Cut]))
            case 4:
                self._note("kills")
                await world.restart(member.name)
            case 5:
                self._note("half publications")
                member.publisher.fail_after = random.randrange(4)
            case 6:
                self._note("rebalances")
                for topic in member.processors:
                    world.broker.restart(consumer_group(member.schema, topic))
            case 7:
                member.paused = not member.paused
                self._note("pauses")
            case 8:
                await self._outage()
            case 9:
                world.clock.jump(timedelta(seconds=random.choice([-30.0, -3.0, -0.5, 0.5, 3.0, 30.0])))
                self._note("clock jumps")

    async def _outage(self) -> None:
        world, random = self.world, self.world.random
        match random.randrange(3):
            case 0:
                world.broker.away = not world.broker.away
                self._note("broker outages")
            case 1:
                gateway = random.choice(["gw-stage", "gw-prod"])
                self.unreachable ^= {gateway}
                self._note("gateway outages")
            case 2:
                world.broker.wipe()
                self._note("wiped brokers")

    def _note(self, what: str) -> None:
        self.happened[what] = self.happened.get(what, 0) + 1
        self.world.trace.append(f"{self.world.clock():%H:%M:%S.%f} {what}")

    # Healing

    async def heal(self) -> list[str]:
        """End every fault and let time pass until every invariant holds; give those that never did."""
        world = self.world
        self.unreachable.clear()
        world.broker.away = False
        for name, fuse in world.plumbing.fuses.items():
            fuse.set(None)
            if name in world.members:
                world.members[name].paused = False
                world.members[name].publisher.fail_after = None
        healed_at = world.clock.elapsed
        found: list[str] = []
        for rest in REST_SECONDS:
            await self.until_still()
            self.recovery = world.clock.elapsed - healed_at
            found = await violations(world, wiped=world.broker.epoch > 0)
            if not found:
                break
            await world.let_pass(rest)
        return found

    async def until_still(self) -> bool:
        moved = False
        while await self._round():
            moved = True
        return moved

    async def _members_move(self) -> bool:
        world, moved = self.world, False
        for member in world.members.values():
            for topic in member.processors:
                moved |= await world.consume(member, topic, some=False, commit=True)
            for name in member.due():
                await world.loop(member, name)
            if member.consumes:
                moved |= await world.relay(member)
        return moved

    async def _round(self) -> bool:
        world, moved = self.world, await self._members_move()
        for request in list(world.network.under_way):
            moved = True
            if request.honest is None:
                await before_arrival(world, request)
                world.network.deliver(request)
            await self._reply(request, None, "is answered")
        return moved


def lies_before() -> list[Any]:
    return [Answer(503, "", None, b""), Answer(429, "", "1", b"")]
