"""What people and upstream services do in the simulation: commands at the door, events on the broker.

Commands run the very handlers of the HTTP routes; each notes what the client was told, or that it was told nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.events import (
    DeploymentCompleted,
    Event,
    EventData,
    MetricsObserved,
    PromotionApproved,
    PromotionRequested,
    TestsCompleted,
    event_source,
)
from schemas.resources import RuleWrite
from schemas.vocabulary import Decision, DeploymentOutcome
from services.platform.http.problems import Problem
from services.promotion import commanding, creation
from services.promotion.creation import Created, Creation, Ineligible, KeyReused, Outcome, Repeated, UnderWay
from services.promotion.domain import commands
from services.promotion.domain.commands import NotApproved, NotYours, OwnPromotion, TooLate
from services.promotion.domain.eligibility import Asked
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Cause, Key, Promotion, Vote
from services.promotion.work import Work
from services.rules.handlers import rules
from tests.simulation.world import CONSUMED, ORGANIZATION, Told, World

PEOPLE = ("ada", "bob", "cyd", "Ada", "rita")
REQUESTERS = ("rita", "ada")
AGENTS = ("agent-1", "agent-2")
REFUSALS = (TooLate, NotApproved, OwnPromotion, NotYours)
NEXT = {"development": "staging", "staging": "production"}


async def ask(world: World, told: Told, act: Callable[[], Awaitable[str]]) -> None:
    """Give a command; what becomes of it is noted in ``told``."""
    world.told.append(told)

    async def attempt() -> str:
        told.answer = await act()
        return told.answer

    await world.step(f"{told.actor} {told.command} {told.promotion_id or ''}", attempt, owner="door")


async def create(world: World, *, asked: Asked, actor: str, key: str | None) -> None:
    identifier = UUID(int=world.random.getrandbits(128), version=4)
    wanted = Creation(
        identifier, ORGANIZATION, asked, actor, via=None, key=key, body_hash=repr((actor, asked)).encode(),
        traceparent=None,
    )  # fmt: skip
    told = Told("create", identifier, actor, None, key=key, detail=asked)

    async def act() -> str:
        async def do(work: Work) -> list[Outcome]:
            return await creation.create(work, [wanted])

        (outcome,) = await world.transactions.run(do, organizations=[ORGANIZATION])
        match outcome:
            case Created(promotion):
                told.promotion_id = promotion.request.id
            case Repeated(first, _) | UnderWay(first) | KeyReused(first):
                told.promotion_id = first
            case Ineligible():
                told.promotion_id = None
        return type(outcome).__name__.lower()

    await ask(world, told, act)


async def command(world: World, name: str, promotion_id: UUID, actor: str, *, override: bool = False) -> None:
    reason = "because" if override or name == "reject" else None
    told = Told(name, promotion_id, actor, None, detail=override)

    async def act() -> str:
        async def do(work: Work) -> Promotion | None:
            def decide(promotion: Promotion) -> Transition | None:
                cause = Cause(actor, work.now, {"command": name})
                match name:
                    case "approve":
                        vote = Vote(actor, Decision.APPROVE, override, reason, work.now)
                        return commands.approve(promotion, vote, cause)
                    case "reject":
                        vote = Vote(actor, Decision.REJECT, False, reason, work.now)
                        return commands.reject(promotion, vote, cause)
                    case "cancel":
                        return commands.cancel(promotion, reason=None, for_anyone=True, cause=cause)
                    case _:
                        return commands.execute(promotion, for_anyone=True, cause=cause)

            return await commanding.command(work, Key(ORGANIZATION, promotion_id), decide)

        try:
            promotion = await world.transactions.run(do, organizations=[ORGANIZATION])
        except REFUSALS as refusal:
            return f"refused {type(refusal).__name__}"
        return "unknown promotion" if promotion is None else f"{promotion.state.status} {promotion.state.reason}"

    await ask(world, told, act)


async def write_rule(world: World, known: list[UUID], written: RuleWrite | None, rule_id: UUID) -> None:
    """Create, replace or, without ``written``, delete a rule."""

    async def act() -> str:
        async with world.database("rules").begin() as connection:
            now = world.clock()
            options: dict[str, Any] = {"organization_id": ORGANIZATION, "rule_id": rule_id, "by": "rule", "now": now}
            change: dict[str, Any] = {"expected": None, "allow": lambda _: None}
            try:
                if written is None:
                    await rules.delete_rule(connection, **options, **change)
                elif rule_id in known:
                    await world.note_rule(
                        connection, await rules.replace_rule(connection, written, **options, **change)
                    )
                else:
                    await world.note_rule(connection, await rules.create_rule(connection, written, **options))
            except Problem as problem:
                return f"refused {problem.code}"
        return "done"

    told = Told("write rule", None, "rule", None, detail=(rule_id, written))
    await ask(world, told, act)
    if written is None and rule_id in known:
        known.remove(rule_id)
    elif written is not None and rule_id not in known:
        known.append(rule_id)


def publish(world: World, event: Event | EncodedRecord) -> None:
    """Put something on the broker, as another service does."""
    record = encode(event) if isinstance(event, Event) else event
    world.broker.append(record, timestamp_ms=int(world.clock().timestamp() * 1000))
    world.trace.append(f"{world.clock():%H:%M:%S.%f} upstream publishes {record.topic}")


def event(world: World, topic: str, data: EventData, *, key: str, source: str = "/ci/acme") -> Event:
    number = f"{world.random.getrandbits(64):x}"
    return Event(topic, key, f"up-{number}", source, key, world.clock(), data)


def announcement(world: World, deployment_id: str, agent: str, gateway: str) -> Event:
    data = DeploymentCompleted(
        organization_id=ORGANIZATION, deployment_id=deployment_id, agent_id=agent, environment="development",
        gateway_id=gateway, version=f"v-{deployment_id}", digest=f"sha256:{deployment_id}",
        status=DeploymentOutcome.SUCCEEDED, deployed_at=world.clock(),
    )  # fmt: skip
    return event(world, topics.DEPLOYMENT_COMPLETED, data, key=deployment_id)


def request(world: World, asked: Asked, *, promotion_id: UUID | None = None) -> Event:
    data = PromotionRequested(
        organization_id=ORGANIZATION, promotion_id=promotion_id, agent_id=asked.agent_id,
        source_deployment_id=asked.source_deployment_id, target_gateway_id=asked.target_gateway_id,
        target_environment=asked.target_environment, created_by="rita",
    )  # fmt: skip
    return event(world, topics.PROMOTION_REQUESTED, data, key=asked.source_deployment_id)


def tests_of(world: World, deployment_id: str, *, good: bool) -> Event:
    data = TestsCompleted(
        organization_id=ORGANIZATION, deployment_id=deployment_id, suite="smoke",
        run_id=f"{world.random.getrandbits(32):x}", passed=10 if good else 7, failed=0 if good else 3,
    )  # fmt: skip
    return event(world, topics.TESTS_COMPLETED, data, key=deployment_id)


def metrics_of(world: World, deployment_id: str, *, good: bool) -> Event:
    data = MetricsObserved(
        organization_id=ORGANIZATION, deployment_id=deployment_id, metrics={"error_rate": 0.001 if good else 0.5}
    )
    return event(world, topics.METRICS_OBSERVED, data, key=deployment_id)


def forged_order(world: World, promotion: Any) -> Event:
    """Give an order to execute that the promotion service never gave."""
    data = PromotionApproved(
        organization_id=ORGANIZATION, promotion_id=promotion["id"], agent_id=promotion["agent_id"],
        target_gateway_id=promotion["target_gateway_id"] or "gw-stage",
        target_environment=promotion["target_environment"],
        source_deployment_id=promotion["source_deployment_id"], deployment_version="v-forged", digest=None,
        executing_at=world.clock() - timedelta(minutes=1), version=3,
    )  # fmt: skip
    return event(world, topics.PROMOTION_APPROVED, data, key="forged", source=event_source("promotion", ORGANIZATION))


def forged_completion(world: World, promotion: Any) -> Event:
    """Give the failure of an execution as somebody tells it who is not the executor."""
    data = DeploymentCompleted(
        organization_id=ORGANIZATION, deployment_id=f"forged-{promotion['id']}", agent_id=promotion["agent_id"],
        environment=promotion["target_environment"], gateway_id=promotion["target_gateway_id"] or "gw-stage",
        version="v-forged", status=DeploymentOutcome.FAILED, deployed_at=world.clock(), promotion_id=promotion["id"],
        error="forged",
    )  # fmt: skip
    return event(world, topics.DEPLOYMENT_COMPLETED, data, key=str(promotion["id"]), source="/ci/acme")


def poison(world: World) -> EncodedRecord:
    topic = world.random.choice(sorted({topic for consumed in CONSUMED.values() for topic in consumed}))
    good = encode(tests_of(world, "dep-1", good=True)).headers
    value, headers = world.random.choice(
        [(b"{", good), (None, good), (b"{}", ()), (b"[" * 5000, good), (b"{}", (("ce_id", None),))]
    )
    return EncodedRecord(topic, b"poison", headers, value)
