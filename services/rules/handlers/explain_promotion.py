"""Says why a promotion stands where it stands, on which evidence, and what would move it. Changes nothing."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.explanations import (
    Approvals,
    ChangedRule,
    EvaluationGlance,
    ExecutionGlance,
    PromotionExplanation,
    Way,
)
from schemas.vocabulary import ConditionsResult, StatusReason
from services.rules.domain.decision import Decision, decide
from services.rules.domain.promotion import Promotion
from services.rules.domain.rule import Rule
from services.rules.domain.verdict import judge
from services.rules.domain.ways import ways_on
from services.rules.handlers.explain import look_around
from services.rules.store.executions import load_execution
from services.rules.store.promotions import promotions_by_id
from services.rules.store.requests import KeptRequest, load_evaluation, load_request
from services.rules.store.rules import load_rules, rule_versions


async def explain_promotion(
    connection: AsyncConnection,
    organization_id: str,
    promotion_id: UUID,
    *,
    now: datetime,
    at: datetime | None = None,
) -> PromotionExplanation | None:
    """Explain a promotion as it is, or as it was ``at`` an instant; None where there is, or was, none."""
    key, moment = (organization_id, promotion_id), at or now
    promotion = (await promotions_by_id(connection, [key])).get(key)
    kept = await load_request(connection, organization_id, promotion_id)
    begun = promotion.created_at if promotion is not None else None if kept is None else kept.request.created_at
    if begun is None or begun > moment:
        return None
    decided = await load_evaluation(connection, organization_id, promotion_id, at=moment)
    rules = [] if kept is None else await _snapshot(connection, kept)
    decision = None
    if kept is not None and kept.latest_number and not (at is None and promotion is not None and promotion.is_settled):
        decision = await _decide_now(connection, kept, rules, now=now, at=at)
    shown = promotion if at is None else None
    return PromotionExplanation(
        promotion_id=promotion_id,
        evaluated_at=moment,
        status=shown and shown.status,
        status_reason=shown and shown.status_reason,
        status_message=shown and shown.status_message,
        summary=_summary(shown, kept, decision, decided),
        decided=None if decided is None else _told(decided),
        now=None if decision is None else _glance(decision, moment),
        next_change_at=None if decision is None else decision.next_change_at,
        approvals=None if shown is None else _approvals(shown),
        execution=await _execution(connection, shown),
        ways=_ways(shown, kept, decision),
        rules_changed=await _changed(connection, organization_id, rules),
    )


async def _snapshot(connection: AsyncConnection, kept: KeptRequest) -> list[Rule]:
    organization_id = kept.request.organization_id
    versions = await rule_versions(connection, [(organization_id, *reference) for reference in kept.snapshot])
    return [versions[organization_id, *reference] for reference in kept.snapshot]


async def _decide_now(
    connection: AsyncConnection, kept: KeptRequest, rules: list[Rule], *, now: datetime, at: datetime | None
) -> Decision | None:
    request = kept.request
    around = await look_around(connection, request.organization_id, request.source_deployment_id, now=now, at=at)
    if around is None or kept.target.source_environment is None:
        return None
    verdicts = [judge(rule, around.facts, around.moment, deployment_id=request.source_deployment_id) for rule in rules]
    return decide((kept.target.source_environment, request.target_environment), verdicts)


async def _changed(connection: AsyncConnection, organization_id: str, rules: list[Rule]) -> list[ChangedRule]:
    current = {rule.id: rule for rule in await load_rules(connection, organization_id, [rule.id for rule in rules])}
    changed = []
    for rule in rules:
        now = current.get(rule.id)
        if now is None or now.version != rule.version:
            changed.append(
                ChangedRule(
                    rule_id=rule.id,
                    name=rule.name,
                    version_applied=rule.version,
                    version_now=None if now is None else now.version,
                )
            )
    return changed


async def _execution(connection: AsyncConnection, promotion: Promotion | None) -> ExecutionGlance | None:
    if promotion is None or promotion.status_reason is not StatusReason.EXECUTING:
        return None
    return await load_execution(connection, promotion.organization_id, promotion.promotion_id)


def _told(record: bytes) -> EvaluationGlance:
    """Read the evaluation that was published: the evidence as it was."""
    data: dict[str, Any] = json.loads(record)
    refusal = data.get("refusal")
    explanation = data.get("explanation") or {}
    return EvaluationGlance(
        number=data["number"],
        evaluated_at=data["evaluated_at"],
        conditions=data["conditions"],
        summary=data["summary"],
        requires_approval=data["requires_approval"],
        required_approvers=data["required_approvers"],
        holds_until=data["holds_until"],
        refusal=None if refusal is None else refusal["message"],
        rules=explanation.get("rules", []),
    )


def _glance(decision: Decision, moment: datetime) -> EvaluationGlance:
    return EvaluationGlance(
        number=None,
        evaluated_at=moment,
        conditions=decision.conditions,
        summary=decision.summary,
        requires_approval=decision.requires_approval,
        required_approvers=decision.required_approvers,
        holds_until=decision.holds_until,
        refusal=None,
        rules=[dict(verdict.explanation) for verdict in decision.verdicts if verdict.explanation is not None],
    )


def _approvals(promotion: Promotion) -> Approvals:
    return Approvals(given=promotion.approvals, required=promotion.required_approvers or 0, not_by=promotion.created_by)


def _ways(promotion: Promotion | None, kept: KeptRequest | None, decision: Decision | None) -> list[Way]:
    if kept is not None and kept.hold_until is not None:
        deployment = kept.request.source_deployment_id
        return [Way(what=f"the announcement of deployment {deployment}", who="its publisher", at=kept.hold_until)]
    if promotion is None:
        return []
    return [Way(what=step.what, who=step.who, at=step.at) for step in ways_on(promotion, decision)]


def _summary(
    promotion: Promotion | None, kept: KeptRequest | None, decision: Decision | None, decided: bytes | None
) -> str:
    if kept is not None and kept.hold_until is not None:
        return f"held until deployment {kept.request.source_deployment_id} is announced"
    parts = []
    if promotion is not None:
        parts.append(promotion.status_message or str(promotion.status_reason))
    if decision is not None and decision.conditions is not ConditionsResult.NONE:
        parts.append(decision.summary)
    elif not parts and decided is not None:
        parts.append(_told(decided).summary)
    return "; ".join(parts) or "not evaluated yet"
