"""Promotions and their history as the resources of the API; pure."""

import json

from schemas import resources
from schemas.traces import trace_id_of
from schemas.vocabulary import Execution, PromotionStatus, StatusReason
from services.promotion.domain.binding import counted
from services.promotion.domain.chain import Entry
from services.promotion.domain.promotion import Promotion


def promotion_resource(promotion: Promotion) -> resources.Promotion:
    """Give the resource; what only the rules know is null until they have said it."""
    request, evaluation = promotion.request, promotion.evaluation
    counting = counted(promotion)
    return resources.Promotion(
        id=request.id,
        organization_id=request.organization_id,
        agent_id=request.agent_id,
        source_deployment_id=request.source_deployment_id,
        target_gateway_id=promotion.target_gateway_id,
        source_environment=promotion.source_environment,
        target_environment=request.target_environment,
        deployment_version=promotion.deployment_version,
        digest=promotion.digest,
        origin=request.origin,
        status=promotion.state.status,
        status_reason=promotion.state.reason,
        status_message=promotion.message,
        requires_approval=None if evaluation is None else evaluation.requires_approval,
        required_approvers=None if evaluation is None else evaluation.required_approvers,
        votes=[
            resources.Vote(
                voter=vote.voter,
                decision=vote.decision,
                override_conditions=vote.override_conditions,
                reason=vote.reason,
                voted_at=vote.voted_at,
                break_glass=vote.breaks_glass,
                void=vote not in counting,
            )
            for vote in promotion.votes
        ],
        rules=[
            resources.AppliedRule(rule_id=rule.rule_id, version=rule.version, name=rule.name)
            for rule in (() if evaluation is None else evaluation.rules)
        ],
        execution=Execution.AUTOMATIC if evaluation is None else evaluation.execution,
        approved_by=promotion.approved_by,
        approved_at=promotion.approved_at,
        rejection_reason=promotion.rejection_reason,
        target_deployment_id=promotion.target_deployment_id,
        created_by=request.created_by,
        created_at=request.created_at,
        expires_at=promotion.expires_at,
        completed_at=promotion.completed_at,
        version=promotion.version,
        trace_id=trace_id_of(request.id, request.traceparent),
    )


def history_resource(entry: Entry) -> resources.HistoryEntry:
    """Give the resource of one entry."""
    return resources.HistoryEntry(
        version=entry.version,
        previous_status=None if entry.previous_status is None else PromotionStatus(entry.previous_status),
        status=PromotionStatus(entry.status),
        status_reason=StatusReason(entry.status_reason),
        status_message=entry.status_message,
        actor=entry.actor,
        via=entry.via,
        at=entry.at,
        evidence=json.loads(entry.evidence),
    )
