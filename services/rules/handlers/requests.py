"""Takes requests for promotions: evaluates each once, repeats what it said before, holds what it cannot judge yet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import EncodedRecord
from schemas.events import Event, PromotionRequested
from schemas.identifiers import promotion_id_of_event
from schemas.vocabulary import ConditionsResult, Origin
from services.platform import tracing
from services.platform.messaging.outbox import Outbox
from services.rules import tracing as spans
from services.rules.domain.auto_promotion import AutoPromotion
from services.rules.domain.evaluation import Evaluation, Ready, evaluate_request, prepare, refuse_request
from services.rules.domain.facts import Facts
from services.rules.domain.looks import Cause, Recheck
from services.rules.domain.promotion import Promotion
from services.rules.domain.request import Refused, Request, Unseen
from services.rules.domain.surroundings import Surroundings
from services.rules.domain.verdict import compiled
from services.rules.handlers.knowledge import load_knowledge
from services.rules.store.auto_promotions import auto_promotions_by_id
from services.rules.store.promotions import promotions_by_id
from services.rules.store.rechecks import add_rechecks
from services.rules.store.requests import insert_evaluated, insert_held, latest_records
from services.rules.store.rule_books import RuleBooks
from services.rules.store.surroundings import load_surroundings
from services.rules.store.unconfirmed import note_unconfirmed

Key = tuple[str, UUID]
# How long the promotion service may take before an evaluation is sent again.
CONFIRM_AFTER = timedelta(seconds=5)
FIRST_LOOK_AFTER_HOLD = timedelta(milliseconds=250)
# What may go on is looked at again when most of it has gone on.
LOOK_AFTER_TRUE = timedelta(seconds=1)


class RequestDesk:
    """Where ``promotion.requested`` ends up; one for each process."""

    def __init__(self, *, outbox: Outbox, books: RuleBooks, hold_seconds: float) -> None:
        self._outbox = outbox
        self._books = books
        self._hold = timedelta(seconds=hold_seconds)

    async def take(self, connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
        """Take a batch of requests in the transaction of ``connection``."""
        requests = _distinct(events, now)
        known = await latest_records(connection, requests.keys())
        repeated = [record for record in known.values() if record is not None]
        fresh = [request for key, request in requests.items() if key not in known]
        published = await promotions_by_id(connection, [request.key for request in fresh])
        asked = await auto_promotions_by_id(connection, [request.key for request in fresh])
        fresh = [_as_accepted(request, published.get(request.key), asked.get(request.key)) for request in fresh]
        if tracing.is_on():
            fresh = spans.taken(fresh, now=now)
        evaluations, held = await self._evaluate(connection, fresh, now)
        if tracing.is_on():
            evaluations = spans.told(evaluations, now=now)
        records = await insert_evaluated(connection, evaluations, now=now)
        await insert_held(connection, held, hold_until=now + self._hold, now=now)
        await add_rechecks(connection, _looks(evaluations, held, now))
        await self.publish(connection, evaluations, [*repeated, *records], now)

    async def publish(
        self,
        connection: AsyncConnection,
        evaluations: Sequence[Evaluation],
        records: Sequence[EncodedRecord],
        now: datetime,
    ) -> None:
        """Send ``records``, and keep an eye on ``evaluations`` until the promotion service has taken them."""
        numbers = [(each.request.key, each.number) for each in evaluations]
        await note_unconfirmed(connection, numbers, due_at=now + CONFIRM_AFTER)
        await self._outbox.append_records(connection, records)

    async def _evaluate(
        self, connection: AsyncConnection, requests: Sequence[Request], now: datetime
    ) -> tuple[list[Evaluation], list[Request]]:
        if not requests:
            return [], []
        surroundings = await load_surroundings(
            connection, {(each.organization_id, each.source_deployment_id) for each in requests}
        )
        books = await self._books.open(connection, _earliest(requests))
        evaluations: list[Evaluation] = []
        held: list[Request] = []
        ready: list[Ready] = []
        for request in requests:
            match prepare(request, books[request.organization_id], surroundings):
                case Unseen():
                    held.append(request)
                case Refused() as refusal:
                    evaluations.append(refuse_request(request, refusal, number=1, now=now))
                case Ready() as one:
                    ready.append(one)
        knowledge = await _knowledge(connection, ready, surroundings)
        for one in ready:
            facts = knowledge.get((one.request.organization_id, one.request.source_deployment_id), Facts())
            evaluations.append(evaluate_request(one, number=1, facts=facts, now=now))
        return evaluations, held


async def _knowledge(
    connection: AsyncConnection, ready: Sequence[Ready], surroundings: Surroundings
) -> dict[tuple[str, str], Facts]:
    """Load the facts that the requests' conditions read."""
    conditional = [each for each in ready if any(rule.conditions for rule in each.rules)]
    keys = {(each.request.organization_id, each.request.source_deployment_id) for each in conditional}
    conditions = [compiled(rule) for rule in {rule.id: rule for each in conditional for rule in each.rules}.values()]
    return await load_knowledge(
        connection,
        [found for key in sorted(keys) if (found := surroundings.deployment(*key)) is not None],
        surroundings,
        with_baselines=any(each is not None and each.baselines for each in conditions),
    )


def _distinct(events: Sequence[Event], now: datetime) -> dict[Key, Request]:
    requests: dict[Key, Request] = {}
    for event in events:
        request = _request(event, now)
        requests.setdefault(request.key, request)
    return dict(sorted(requests.items()))


def _request(event: Event, now: datetime) -> Request:
    data = event.data
    assert isinstance(data, PromotionRequested)
    organization_id = data.organization_id
    return Request(
        organization_id=organization_id,
        promotion_id=data.promotion_id or promotion_id_of_event(organization_id, event.source, event.id),
        agent_id=data.agent_id,
        source_deployment_id=data.source_deployment_id,
        asked_gateway_id=data.target_gateway_id,
        target_environment=data.target_environment,
        created_by=data.created_by,
        # Its sender does not choose which rules were in force: it is made when it is first seen.
        created_at=now,
        origin=Origin.EVENT,
        caused_by=event.id,
        traceparent=event.extensions.get("traceparent"),
    )


def _as_accepted(request: Request, promotion: Promotion | None, asked: AutoPromotion | None) -> Request:
    """Prefer what was accepted over HTTP, or asked for by a rule, to what a record says of it."""
    if asked is not None:
        return replace(
            request,
            agent_id=asked.agent_id,
            source_deployment_id=asked.deployment_id,
            asked_gateway_id=asked.target_gateway_id,
            target_environment=asked.target_environment,
            created_by=asked.created_by,
            created_at=asked.requested_at,
            origin=Origin.AUTO,
            rule_id=asked.rule_id,
            rule_version=asked.rule_version,
        )
    if promotion is None:
        return request
    return replace(
        request,
        agent_id=promotion.agent_id,
        source_deployment_id=promotion.source_deployment_id,
        asked_gateway_id=promotion.target_gateway_id,
        target_environment=promotion.target_environment,
        created_by=promotion.created_by,
        created_at=promotion.created_at,
        origin=promotion.origin,
    )


def _earliest(requests: Sequence[Request]) -> Mapping[str, datetime]:
    earliest: dict[str, datetime] = {}
    for request in requests:
        known = earliest.get(request.organization_id, request.created_at)
        earliest[request.organization_id] = min(known, request.created_at)
    return earliest


def _looks(evaluations: Sequence[Evaluation], held: Sequence[Request], now: datetime) -> list[Recheck]:
    watched: dict[tuple[str, str], datetime] = {}
    for each in evaluations:
        if each.watching:
            key = (each.request.organization_id, each.request.source_deployment_id)
            look_at = _first_look(each, now)
            watched[key] = min(look_at, watched.get(key, look_at))
    unknown = {(each.organization_id, each.source_deployment_id) for each in held}
    return [
        *(Recheck(*key, Cause.FACT, due_at) for key, due_at in sorted(watched.items())),
        *(Recheck(*key, Cause.HOLD, now + FIRST_LOOK_AFTER_HOLD) for key in sorted(unknown)),
    ]


def _first_look(evaluation: Evaluation, now: datetime) -> datetime:
    # A fact may have come in while it was made, without the one knowing of the other.
    if evaluation.conditions is not ConditionsResult.TRUE:
        return now
    # On a whole second, so that many are looked at together.
    latest = (now + LOOK_AFTER_TRUE).replace(microsecond=0) + timedelta(seconds=1)
    return min(evaluation.next_change_at or latest, latest)
