"""Promotions as rows of ``promotion.promotion`` and back; it runs no statement."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from schemas.vocabulary import ConditionsResult, Decision, Execution, Origin, PromotionStatus, StatusReason
from services.promotion.domain.approvals import approvals
from services.promotion.domain.promotion import Evaluation, Promotion, Refusal, Request, RuleVersion, State, Vote

Column = tuple[str, str, Callable[[Promotion], object]]

# What never changes after the insert; name, type, value.
FIXED: tuple[Column, ...] = (
    ("organization_id", "text", lambda p: p.request.organization_id),
    ("id", "uuid", lambda p: p.request.id),
    ("agent_id", "text", lambda p: p.request.agent_id),
    ("source_deployment_id", "text", lambda p: p.request.source_deployment_id),
    ("target_environment", "text", lambda p: p.request.target_environment),
    ("origin", "text", lambda p: p.request.origin.value),
    ("created_by", "text", lambda p: p.request.created_by),
    ("created_via", "text", lambda p: p.request.created_via),
    ("created_at", "timestamptz", lambda p: p.request.created_at),
    ("traceparent", "text", lambda p: p.request.traceparent),
)
STANDING: tuple[Column, ...] = (
    ("source_environment", "text", lambda p: p.source_environment),
    ("target_gateway_id", "text", lambda p: p.target_gateway_id),
    ("deployment_version", "text", lambda p: p.deployment_version),
    ("digest", "text", lambda p: p.digest),
    ("status", "text", lambda p: p.state.status.value),
    ("status_reason", "text", lambda p: p.state.reason.value),
    ("status_message", "text", lambda p: p.message),
    ("version", "int", lambda p: p.version),
    ("changed_at", "timestamptz", lambda p: p.changed_at),
    ("approvals", "int", lambda p: approvals(p.request.created_by, p.votes) if p.votes else 0),
    ("released", "boolean", lambda p: p.released),
    ("approved_by", "text", lambda p: p.approved_by),
    ("approved_at", "timestamptz", lambda p: p.approved_at),
    ("ended_by", "text", lambda p: p.ended_by),
    ("rejection_reason", "text", lambda p: p.rejection_reason),
    ("executing_at", "timestamptz", lambda p: p.executing_at),
    ("executing_version", "int", lambda p: p.executing_version),
    ("target_deployment_id", "text", lambda p: p.target_deployment_id),
    ("expires_at", "timestamptz", lambda p: p.expires_at),
    ("completed_at", "timestamptz", lambda p: p.completed_at),
)
_EVALUATION: tuple[tuple[str, str, Callable[[Evaluation], object]], ...] = (
    ("evaluation_number", "int", lambda e: e.number),
    ("evaluated_at", "timestamptz", lambda e: e.evaluated_at),
    ("requires_approval", "boolean", lambda e: e.requires_approval),
    ("required_approvers", "int", lambda e: e.required_approvers),
    ("conditions", "text", lambda e: e.conditions.value),
    ("holds_until", "timestamptz", lambda e: e.holds_until),
    ("execution", "text", lambda e: e.execution.value),
    ("expires_after_seconds", "bigint", lambda e: int(e.expires_after.total_seconds())),
    ("rules", "json", lambda e: _dump_rules(e.rules)),
    ("summary", "text", lambda e: e.summary),
    ("refusal_code", "text", lambda e: e.refusal and e.refusal.code.value),
    ("refusal_message", "text", lambda e: e.refusal and e.refusal.message),
)


def _of_evaluation(read: Callable[[Evaluation], object], *, before: object) -> Callable[[Promotion], object]:
    return lambda promotion: before if promotion.evaluation is None else read(promotion.evaluation)


EVALUATED: tuple[Column, ...] = tuple(
    (name, kind, _of_evaluation(read, before=0 if name == "evaluation_number" else None))
    for name, kind, read in _EVALUATION
)
READ = ", ".join(f"p.{name}" for name, _, _ in (*FIXED, *STANDING, *EVALUATED))
WIDTH = len((*FIXED, *STANDING, *EVALUATED))


def _dump_rules(rules: Sequence[RuleVersion]) -> str:
    return json.dumps([[str(rule.rule_id), rule.version, rule.name] for rule in rules])


def _load_rules(rules: Sequence[Sequence[Any]]) -> tuple[RuleVersion, ...]:
    return tuple(RuleVersion(UUID(rule_id), version, name) for rule_id, version, name in rules)


def to_promotion(row: Sequence[Any], votes: tuple[Vote, ...]) -> Promotion:
    """Read one row that begins with the columns READ."""
    (
        organization_id, identifier, agent_id, source_deployment_id, target_environment, origin, created_by,
        created_via, created_at, traceparent, source_environment, target_gateway_id, deployment_version, digest,
        status, reason, message, version, changed_at, _approvals, released, approved_by, approved_at, ended_by,
        rejection_reason, executing_at, executing_version, target_deployment_id, expires_at, completed_at, *evaluation,
    ) = row[:WIDTH]  # fmt: skip
    return Promotion(
        request=Request(
            organization_id, identifier, agent_id, source_deployment_id, target_environment, Origin(origin), created_by,
            created_at, created_via, traceparent,
        ),
        state=State(PromotionStatus(status), StatusReason(reason)),
        message=message,
        version=version,
        changed_at=changed_at,
        source_environment=source_environment,
        target_gateway_id=target_gateway_id,
        deployment_version=deployment_version,
        digest=digest,
        expires_at=expires_at,
        evaluation=_to_evaluation(evaluation) if evaluation[0] else None,
        votes=votes,
        released=released,
        approved_by=approved_by,
        approved_at=approved_at,
        ended_by=ended_by,
        rejection_reason=rejection_reason,
        executing_at=executing_at,
        executing_version=executing_version,
        target_deployment_id=target_deployment_id,
        completed_at=completed_at,
    )  # fmt: skip


def _to_evaluation(columns: Sequence[Any]) -> Evaluation:
    (
        number, evaluated_at, requires_approval, required_approvers, conditions, holds_until, execution,
        expires_after_seconds, rules, summary, refusal_code, refusal_message,
    ) = columns  # fmt: skip
    return Evaluation(
        number=number,
        evaluated_at=evaluated_at,
        requires_approval=requires_approval,
        required_approvers=required_approvers,
        conditions=ConditionsResult(conditions),
        holds_until=holds_until,
        execution=Execution(execution),
        expires_after=timedelta(seconds=expires_after_seconds),
        rules=_load_rules(rules),
        summary=summary,
        refusal=Refusal(StatusReason(refusal_code), refusal_message) if refusal_code else None,
    )


def to_vote(row: Any) -> Vote:
    """Read one row of ``promotion.vote``."""
    return Vote(
        row.voter, Decision(row.decision), row.override_conditions, row.reason, row.voted_at, row.via, row.binds,
        row.breaks_glass, row.key_id, row.revoked,
    )  # fmt: skip
