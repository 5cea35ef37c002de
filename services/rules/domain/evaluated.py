"""An evaluation as the event that tells the promotion service: the request whole, and what the rules say of it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from schemas import topics
from schemas.events import Event, Refusal, RuleReference, RulesEvaluated, event_source, event_type
from schemas.identifiers import event_id
from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult, StatusReason
from services.rules.domain.decision import Decision
from services.rules.domain.request import Request
from services.rules.domain.verdict import Verdict

# What many rules at length have to say does not fit into one record; the explanation on request shows them all.
MOST_EXPLAINED_BYTES = 500_000
FEW_RULES = 4


@dataclass(frozen=True, slots=True)
class Target:
    """What the first evaluation found of source and target; later evaluations keep it."""

    source_environment: str | None
    gateway_id: str | None
    deployment_version: str | None
    digest: str | None


def decided(request: Request, number: int, *, target: Target, decision: Decision, now: datetime) -> Event:
    """Tell what the rules ask of a request that can be promoted."""
    body = RulesEvaluated.trusted(
        **_common(request, number, target, now),
        refusal=None,
        requires_approval=decision.requires_approval,
        required_approvers=decision.required_approvers,
        conditions=decision.conditions,
        holds_until=decision.holds_until,
        execution=decision.execution,
        expires_after_seconds=decision.expires_after_seconds,
        rules=tuple(RuleReference(rule_id=rule.id, version=rule.version, name=rule.name) for rule in decision.rules),
        summary=decision.summary,
        explanation={"evaluated_at": now.isoformat(), **_explained(decision.verdicts)},
    )
    return _event(request, body)


def refused(request: Request, number: int, *, target: Target, message: str, now: datetime) -> Event:
    """Tell why a request cannot be promoted."""
    body = RulesEvaluated(
        **_common(request, number, target, now),
        refusal=Refusal(code=StatusReason.NOT_ELIGIBLE, message=message),
        conditions=ConditionsResult.NONE,
        summary=message,
    )
    return _event(request, body)


def _explained(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    explanations = [verdict.explanation for verdict in verdicts if verdict.explanation is not None]
    if len(explanations) <= FEW_RULES:
        return {"rules": explanations}
    told: list[Mapping[str, object]] = []
    room_bytes = MOST_EXPLAINED_BYTES
    for explanation in explanations:
        room_bytes -= len(json.dumps(explanation, default=str))
        if room_bytes < 0:
            return {"rules": told, "rules_left_out": len(explanations) - len(told)}
        told.append(explanation)
    return {"rules": told}


def _common(request: Request, number: int, target: Target, now: datetime) -> dict[str, Any]:
    return {
        "organization_id": request.organization_id,
        "promotion_id": request.promotion_id,
        "number": number,
        "evaluated_at": now,
        "agent_id": request.agent_id,
        "source_deployment_id": request.source_deployment_id,
        "source_environment": target.source_environment,
        "target_gateway_id": target.gateway_id,
        "target_environment": request.target_environment,
        "created_by": request.created_by,
        "created_at": request.created_at,
        "origin": request.origin,
        "deployment_version": target.deployment_version,
        "digest": target.digest,
    }


def _event(request: Request, body: RulesEvaluated) -> Event:
    promotion_id = str(request.promotion_id)
    extensions = {"correlationid": promotion_id, "causationid": request.caused_by}
    if request.traceparent is not None:
        extensions["traceparent"] = request.traceparent
    return Event(
        topic=topics.RULES_EVALUATED,
        key=promotion_id,
        id=event_id(promotion_id, body.number, event_type(topics.RULES_EVALUATED)),
        source=event_source("rules", request.organization_id),
        subject=promotion_id,
        time=body.evaluated_at,
        data=body,
        extensions=extensions,
    )
