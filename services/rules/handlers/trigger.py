"""Starts promotions for rules whose conditions hold: once each, and in measure where a changed rule is the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.platform.messaging.outbox import Outbox
from services.rules.domain.auto_promotion import AutoPromotion, Key, asked_by, request_event
from services.rules.domain.looks import Cause, Recheck
from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Deployment, DeploymentKey, Surroundings
from services.rules.domain.trigger import CURABLE, Blocked, Free, way_ahead
from services.rules.store.auto_promotions import (
    insert_auto_promotions,
    measured,
    queue,
    queue_length,
    unqueue,
)
from services.rules.store.promotions import promotions_of_agents
from services.rules.store.rechecks import add_rechecks

MEASURE = 50
MEASURE_PERIOD = timedelta(minutes=1)
ARRIVE_AFTER = timedelta(seconds=5)
# What is in the way may go away without anything being told of it here.
TRY_AGAIN_AFTER = timedelta(minutes=1)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that promotes by itself and whose conditions hold for a deployment."""

    rule: Rule
    deployment: Deployment
    # A changed rule made it due, now or when it was put in the queue.
    by_rule_change: bool

    @property
    def key(self) -> Key:
        """Identify what would be promoted where."""
        return self.deployment.organization_id, self.deployment.deployment_id, self.rule.target_environment


class Trigger:
    """Asks for promotions through the outbox, in the transaction that decided to."""

    def __init__(self, *, outbox: Outbox) -> None:
        self._outbox = outbox

    async def pull(
        self,
        connection: AsyncConnection,
        candidates: Sequence[Candidate],
        surroundings: Surroundings,
        *,
        now: datetime,
    ) -> dict[DeploymentKey, datetime]:
        """Ask for what may be promoted; give when to look again at what was in the way."""
        if not candidates:
            return {}
        promotions = await promotions_of_agents(
            connection, {(each.key[0], each.deployment.agent_id, each.key[2]) for each in candidates}
        )
        free: list[tuple[Candidate, Free]] = []
        again: dict[DeploymentKey, datetime] = {}
        blocked: list[Key] = []
        for each in candidates:
            way = way_ahead(
                each.rule,
                each.deployment,
                promotions=promotions.get((each.key[0], each.deployment.agent_id, each.key[2]), ()),
                already_requested=False,
                surroundings=surroundings,
            )
            match way:
                case Free():
                    free.append((each, way))
                case Blocked(block):
                    blocked.append(each.key)
                    if block in CURABLE:
                        again[each.key[:2]] = now + TRY_AGAIN_AFTER
        admitted = await self._admit(connection, free, now)
        asked = [
            asked_by(each.rule, each.deployment, way, now=now, by_rule_change=each.by_rule_change)
            for each, way in admitted
        ]
        await self._ask(connection, asked, now)
        await unqueue(connection, [*blocked, *(each.key for each in asked)])
        return again

    async def _ask(self, connection: AsyncConnection, asked: Sequence[AutoPromotion], now: datetime) -> None:
        new = await insert_auto_promotions(connection, asked, due_at=now + ARRIVE_AFTER)
        await self._outbox.append(connection, [request_event(each) for each in new])
        for each in new:
            _log.info(
                "promotion requested by rule", organization=each.organization_id, deployment=each.deployment_id,
                target=each.target_environment, rule=str(each.rule_id), promotion=str(each.promotion_id),
            )  # fmt: skip

    async def _admit(
        self, connection: AsyncConnection, free: Sequence[tuple[Candidate, Free]], now: datetime
    ) -> list[tuple[Candidate, Free]]:
        """Let pass what a fact or the clock made due, and of what a rule change did as much as the measure holds."""
        admitted = [pair for pair in free if not pair[0].by_rule_change]
        for organization_id, pairs in _by_organization(free).items():
            left = MEASURE - await measured(connection, organization_id, since=now - MEASURE_PERIOD)
            admitted += pairs[: max(0, left)]
            await self._queue(connection, organization_id, [pair[0] for pair in pairs[max(0, left) :]], now)
        return admitted

    async def _queue(
        self, connection: AsyncConnection, organization_id: str, waiting: Sequence[Candidate], now: datetime
    ) -> None:
        if not waiting:
            return
        ahead = await queue_length(connection, organization_id)
        await queue(connection, [(each.key, each.rule.id, each.rule.version) for each in waiting], now=now)
        looks = []
        for place, each in enumerate(waiting, start=ahead):
            due_at = now + MEASURE_PERIOD * (1 + place // MEASURE)
            looks.append(Recheck(each.key[0], each.key[1], Cause.RULE, due_at))
        await add_rechecks(connection, looks)
        _log.info("promotions queued", organization=organization_id, waiting=len(waiting), ahead=ahead)


def _by_organization(
    free: Sequence[tuple[Candidate, Free]],
) -> Mapping[str, list[tuple[Candidate, Free]]]:
    found: dict[str, list[tuple[Candidate, Free]]] = {}
    for pair in sorted(free, key=lambda pair: pair[0].key):
        if pair[0].by_rule_change:
            found.setdefault(pair[0].key[0], []).append(pair)
    return found
