"""Looks at deployments of which something changed: requests that wait for them, and rules that act by themselves."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult
from services.platform import tracing
from services.platform.clock import Clock
from services.platform.database import Database
from services.rules import tracing as spans
from services.rules.domain.auto_promotion import Key
from services.rules.domain.facts import Facts
from services.rules.domain.looks import Cause, Look, Recheck, again, neighbours, put_together
from services.rules.domain.rule_book import Acting, Books
from services.rules.domain.surroundings import Deployment, DeploymentKey, Surroundings
from services.rules.domain.verdict import next_change_of, result_of
from services.rules.handlers.knowledge import load_knowledge
from services.rules.handlers.requests import RequestDesk
from services.rules.handlers.trigger import Candidate, Trigger
from services.rules.handlers.waiting import Seen, Watched, reevaluate, release, still_watched
from services.rules.store.auto_promotions import already_requested, queued, unqueue
from services.rules.store.rechecks import (
    add_rechecks,
    hasten,
    lock_due_rechecks,
    next_due,
    schedule,
    take,
)
from services.rules.store.requests import KeptRequest, advance, lock_waiting, settled_requests, stop_watching
from services.rules.store.rule_books import RuleBooks
from services.rules.store.surroundings import load_known, with_company
from services.rules.store.verdicts import Recorded, save_verdicts

BATCH = 200
LONGEST_REST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A deployment with the rules that act on it."""

    look: Look
    deployment: Deployment
    target_environment: str
    acting: tuple[Acting, ...]


class Lookout:
    """The loop that carries out rechecks and wakes by the clock; several may run at once."""

    def __init__(
        self,
        *,
        database: Database,
        desk: RequestDesk,
        books: RuleBooks,
        trigger: Trigger,
        clock: Clock,
        hold_seconds: float,
    ) -> None:
        self._database = database
        self._desk = desk
        self._books = books
        self._trigger = trigger
        self._clock = clock
        self._hold_seconds = hold_seconds

    async def step(self) -> float:
        """Look at what is due; tell how long to rest, in seconds."""
        now = self._clock()
        async with self._database.begin() as connection:
            upcoming = await next_due(connection)
            if upcoming is None or upcoming > now:
                return rest_seconds(upcoming, now)
            due = await lock_due_rechecks(connection, now=now, limit=BATCH)
            if due:
                await self._look(connection, due, now)
            upcoming = None if len(due) >= BATCH else await next_due(connection)
        return 0.0 if len(due) >= BATCH else rest_seconds(upcoming, now)

    async def _look(self, connection: AsyncConnection, due: Sequence[Recheck], now: datetime) -> None:
        looks = put_together(due)
        organizations = {organization_id for organization_id, _ in looks}
        surroundings = await load_known(connection, looks.keys(), organizations)
        await stop_watching(connection, await settled_requests(connection, looks.keys()))
        waiting = await lock_waiting(connection, looks.keys())
        held = [each for each in waiting if each.hold_until is not None]
        books = await self._books.open(connection, _needed_since(looks, held, now))
        scenes = await self._scenes(connection, looks, books, surroundings)
        turns = await queued(connection, _may_wait(looks, scenes))
        if (
            not waiting
            and not any(each.acting for each in scenes)
            and not any(each.compares for each in books.values())
        ):
            # Nobody waits for any of them and no rule acts on them: most of what was just deployed.
            await unqueue(connection, turns)
            await _schedule(connection, looks, [])
            await take(connection, due)
            await add_rechecks(connection, again(due, set(), surroundings, now))
            return
        surroundings = await with_company(connection, surroundings, organizations)
        watched = await still_watched(connection, waiting)
        knowledge = await self._knowledge(connection, scenes, held, watched, books, surroundings)
        released = release(
            held, books, surroundings, knowledge, hold_seconds=self._hold_seconds, now=now
        )  # fmt: skip
        changed = reevaluate(watched, knowledge, now=now)
        evaluations = [*released.evaluations, *changed.evaluations]
        if tracing.is_on():
            evaluations = spans.told(evaluations, now=now)
        records = await advance(connection, evaluations)
        await self._desk.publish(connection, evaluations, records, now)
        acted = await self._act(connection, scenes, turns, knowledge, surroundings, now)
        await _schedule(connection, looks, [released, changed, acted])
        await take(connection, due)
        await add_rechecks(
            connection,
            [
                *again(due, released.still_held, surroundings, now),
                *neighbours(looks, books, surroundings, now),
            ],
        )

    async def _scenes(
        self,
        connection: AsyncConnection,
        looks: Mapping[DeploymentKey, Look],
        books: Books,
        surroundings: Surroundings,
    ) -> list[Scene]:
        scenes: list[Scene] = []
        for key, look in looks.items():
            deployment = surroundings.deployment(*key)
            if deployment is None or not deployment.is_active:
                continue
            target = surroundings.next_environment(key[0], deployment.environment)
            if target is not None:
                acting = books[key[0]].acting((deployment.environment, target), look.fields)
                scenes.append(Scene(look, deployment, target, acting))
        requested = await already_requested(
            connection, {(*each.look.key, each.target_environment) for each in scenes if each.acting}
        )
        return [_without_done(each, requested) for each in scenes]

    async def _knowledge(
        self,
        connection: AsyncConnection,
        scenes: Sequence[Scene],
        held: Sequence[KeptRequest],
        watched: Sequence[Watched],
        books: Books,
        surroundings: Surroundings,
    ) -> dict[DeploymentKey, Facts]:
        wanted = {each.look.key for each in scenes if each.acting}
        requests = [each.request for each in held] + [each.kept.request for each in watched]
        wanted |= {(each.organization_id, each.source_deployment_id) for each in requests}
        deployments = [found for key in sorted(wanted) if (found := surroundings.deployment(*key)) is not None]
        if not deployments:
            return {}
        compares = any(books[key[0]].compares for key in wanted) or any(each.compares for each in watched)
        return await load_knowledge(connection, deployments, surroundings, with_baselines=compares or bool(held))

    async def _act(
        self,
        connection: AsyncConnection,
        scenes: Sequence[Scene],
        turns: Collection[Key],
        knowledge: Mapping[DeploymentKey, Facts],
        surroundings: Surroundings,
        now: datetime,
    ) -> Seen:
        seen, recorded, ready = Seen(), [], []
        for scene in scenes:
            key, facts = scene.look.key, knowledge.get(scene.look.key, Facts())
            for acting in scene.acting:
                result = result_of(acting.rule, facts, now)
                recorded.append(Recorded(*key, acting.rule.id, acting.rule.version, result))
                seen.look_again(key, next_change_of(acting.rule, facts, now))
                if acting.promotes and result is ConditionsResult.TRUE:
                    ready.append((scene, acting))
        await save_verdicts(connection, recorded, now=now)
        candidates = _first_of_each(ready, turns)
        # Who is there and was not looked at whole goes on waiting.
        some = {each.look.key for each in scenes if each.look.fields is not None}
        await unqueue(connection, {key for key in turns if key[:2] not in some} - {each.key for each in candidates})
        for key, instant in (await self._trigger.pull(connection, candidates, surroundings, now=now)).items():
            seen.look_again(key, instant)
        return seen


def rest_seconds(upcoming: datetime | None, now: datetime) -> float:
    """Give how long to rest when something is due at ``upcoming``."""
    if upcoming is None:
        return LONGEST_REST_SECONDS
    return min(max((upcoming - now).total_seconds(), 0.02), LONGEST_REST_SECONDS)


async def _schedule(connection: AsyncConnection, looks: Mapping[DeploymentKey, Look], seen: Collection[Seen]) -> None:
    """Set when to look again by the clock; a look at some rules alone never puts it off."""
    changes = Seen()
    for each in seen:
        for key, instant in each.next_changes.items():
            changes.look_again(key, instant)
    whole = {key: changes.next_changes.get(key) for key, look in looks.items() if look.fields is None}
    await schedule(connection, whole)
    await hasten(connection, {key: at for key, at in changes.next_changes.items() if key not in whole})


def _needed_since(looks: Collection[DeploymentKey], held: Sequence[KeptRequest], now: datetime) -> dict[str, datetime]:
    since = {organization_id: now for organization_id, _ in looks}
    for each in held:
        organization_id = each.request.organization_id
        since[organization_id] = min(since[organization_id], each.request.created_at)
    return since


def _without_done(scene: Scene, requested: Collection[tuple[str, str, str]]) -> Scene:
    """Leave out the rules that have asked for this promotion already; shadows go on."""
    if (*scene.look.key, scene.target_environment) not in requested:
        return scene
    return replace(scene, acting=tuple(each for each in scene.acting if not each.promotes))


def _may_wait(looks: Mapping[DeploymentKey, Look], scenes: Sequence[Scene]) -> set[DeploymentKey]:
    """Give the deployments that may stand in the queue: a rule promotes them, or it is their turn, rule or none."""
    promoting = {each.look.key for each in scenes if any(one.promotes for one in each.acting)}
    return promoting | {key for key, look in looks.items() if Cause.RULE in look.causes}


def _first_of_each(ready: Sequence[tuple[Scene, Acting]], turns: Collection[Key]) -> list[Candidate]:
    candidates: dict[Key, Candidate] = {}
    for scene, acting in ready:
        key = (*scene.look.key, scene.target_environment)
        by_rule_change = Cause.RULE in scene.look.causes or key in turns
        candidates.setdefault(key, Candidate(acting.rule, scene.deployment, by_rule_change))
    return list(candidates.values())
