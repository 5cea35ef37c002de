"""What the rules said: takes in ``rules.evaluated``, inserting promotions that were asked for over Kafka.

Stale and repeated evaluations change nothing; one that contradicts its promotion is parked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, timedelta

import structlog

from schemas.events import Event, RulesEvaluated
from services.platform.messaging.consumer import Unprocessable
from services.promotion import store
from services.promotion.domain import lifecycle
from services.promotion.domain.lifecycle import Transition, open_promotion
from services.promotion.domain.progress import evaluated, turned_away
from services.promotion.domain.promotion import (
    Cause,
    Evaluation,
    Key,
    Place,
    Promotion,
    Refusal,
    Request,
    RuleVersion,
    Slot,
)
from services.promotion.work import Work

MAX_MESSAGE_CHARACTERS = 1000
ACTOR = "service:rules"

_log = structlog.get_logger()


async def apply_evaluations(work: Work, events: Sequence[Event]) -> None:
    """Apply a batch of ``rules.evaluated`` within the transaction of ``work``."""
    newest = _newest(events)
    await store.lock_slots(work.connection, {slot for _, data in newest.values() if (slot := _slot(data))})
    known = await store.load(work.connection, newest.keys(), lock=True)
    opened = {key: _opened(event, data, work) for key, (event, data) in newest.items() if key not in known}
    rivals = await _rivals(work, opened.values())
    opened = {key: _without_slot(step) if key in rivals else step for key, step in opened.items()}
    courses = {key: [step] for key, step in opened.items()}
    moved: list[Transition] = []
    renewed: list[Promotion] = []
    stale = 0
    for key, (event, data) in newest.items():
        promotion = known.get(key) or opened[key].after
        cause = _cause(event, data, work)
        if key in rivals:
            courses[key].append(_turned_away(promotion, data, rivals[key], cause))
            continue
        match evaluated(_matching(promotion, data), _evaluation(data), cause):
            case Transition() as step:
                courses.get(key, moved).append(step)
            case Promotion() as informed:
                renewed.append(informed)
            case None:
                stale += 1
    await work.begin_at_once(courses.values())
    await work.open(courses.values())
    await work.save(moved)
    await work.renew(renewed)
    reached = [step.after for step in (*moved, *(course[-1] for course in courses.values()))]
    await work.dispatch(
        {promotion.slot for promotion in reached if promotion.slot and promotion.state == lifecycle.QUEUED},
        known={promotion.key: promotion for promotion in reached},
    )
    await work.record()
    _log.info("evaluations applied", opened=len(opened), moved=len(moved), renewed=len(renewed), stale=stale)


def _newest(events: Sequence[Event]) -> dict[Key, tuple[Event, RulesEvaluated]]:
    newest: dict[Key, tuple[Event, RulesEvaluated]] = {}
    for event in events:
        data = event.data
        if not isinstance(data, RulesEvaluated):
            raise Unprocessable("wrong_schema", f"the event {event.id} is not an evaluation")
        key = Key(data.organization_id, data.promotion_id)
        if key not in newest or newest[key][1].number < data.number:
            newest[key] = (event, data)
    return dict(sorted(newest.items()))


def _slot(data: RulesEvaluated) -> Slot | None:
    if data.target_gateway_id is None:
        return None
    return Slot(data.organization_id, data.agent_id, data.target_gateway_id)


def _opened(event: Event, data: RulesEvaluated, work: Work) -> Transition:
    request = Request(
        organization_id=data.organization_id,
        id=data.promotion_id,
        agent_id=data.agent_id,
        source_deployment_id=data.source_deployment_id,
        target_environment=data.target_environment,
        origin=data.origin,
        created_by=data.created_by,
        created_at=data.created_at.astimezone(UTC),
        traceparent=event.extensions.get("traceparent"),
    )
    evidence = {
        "origin": data.origin.value,
        "agent_id": data.agent_id,
        "source_deployment_id": data.source_deployment_id,
        "target_gateway_id": data.target_gateway_id,
        "target_environment": data.target_environment,
    }
    return open_promotion(
        request,
        Cause(data.created_by, work.now, evidence, event_id=event.id, traceparent=event.extensions.get("traceparent")),
        source_environment=data.source_environment,
        target_gateway_id=data.target_gateway_id,
        deployment_version=data.deployment_version,
        digest=data.digest,
    )


async def _rivals(work: Work, opened: Iterable[Transition]) -> dict[Key, Key]:
    """Find for each new promotion the one that is under way for the same deployment and gateway."""
    wanted: dict[Place, list[Key]] = {}
    for step in sorted(opened, key=lambda step: (step.after.request.created_at, step.after.key)):
        promotion = step.after
        if promotion.slot is not None:
            place = Place(promotion.slot, promotion.request.source_deployment_id)
            wanted.setdefault(place, []).append(promotion.key)
    first = await store.under_way(work.connection, wanted)
    rivals: dict[Key, Key] = {}
    for place, keys in wanted.items():
        winner = first.get(place, keys[0])
        rivals |= {key: winner for key in keys if key != winner}
    return rivals


def _without_slot(step: Transition) -> Transition:
    # The gateway is taken by the promotion under way, so this one is opened beside it and gets it with its end.
    return replace(step, after=step.after.but(target_gateway_id=None))


def _turned_away(promotion: Promotion, data: RulesEvaluated, rival: Key, cause: Cause) -> Transition:
    message = (
        f"Promotion {rival.id} of deployment {data.source_deployment_id} to gateway {data.target_gateway_id} "
        "is under way already; wait for its end or cancel it."
    )
    step = turned_away(promotion.but(target_gateway_id=data.target_gateway_id), message, cause)
    return replace(step, before=promotion)


def _matching(promotion: Promotion, data: RulesEvaluated) -> Promotion:
    """Give the promotion with what the evaluation adds to it; raise where they speak of different requests."""
    request = promotion.request
    same = (data.agent_id, data.source_deployment_id, data.target_environment) == (
        request.agent_id,
        request.source_deployment_id,
        request.target_environment,
    )
    placed = promotion.target_gateway_id or data.target_gateway_id
    if not same or data.target_gateway_id not in {None, placed}:
        raise Unprocessable(
            "contradicts_promotion",
            f"the evaluation of {request.id} speaks of another agent, deployment, environment or gateway than the "
            "promotion; nothing was decided on it",
        )
    return promotion.but(
        source_environment=promotion.source_environment or data.source_environment,
        target_gateway_id=placed,
        deployment_version=promotion.deployment_version or data.deployment_version,
        digest=promotion.digest or data.digest,
    )


def _evaluation(data: RulesEvaluated) -> Evaluation:
    refused = data.refusal
    refusal = None if refused is None else Refusal(refused.code, refused.message[:MAX_MESSAGE_CHARACTERS])
    return Evaluation(
        number=data.number,
        evaluated_at=data.evaluated_at,
        requires_approval=data.requires_approval,
        required_approvers=data.required_approvers,
        conditions=data.conditions,
        holds_until=data.holds_until,
        execution=data.execution,
        expires_after=timedelta(seconds=data.expires_after_seconds),
        rules=tuple(RuleVersion(rule.rule_id, rule.version, rule.name) for rule in data.rules),
        summary=data.summary[:MAX_MESSAGE_CHARACTERS],
        refusal=refusal,
    )


def _cause(event: Event, data: RulesEvaluated, work: Work) -> Cause:
    evidence = {
        "evaluation": data.number,
        "evaluated_at": data.evaluated_at.astimezone(UTC).isoformat(),
        "conditions": data.conditions.value,
        "requires_approval": data.requires_approval,
        "required_approvers": data.required_approvers,
        "rules": [f"{rule.rule_id}@{rule.version}" for rule in data.rules],
        "summary": data.summary[:MAX_MESSAGE_CHARACTERS],
    }
    return Cause(ACTOR, work.now, evidence, event_id=event.id, traceparent=event.extensions.get("traceparent"))
