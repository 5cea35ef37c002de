"""Promotions, evaluations and votes as the unit tests need them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.vocabulary import ConditionsResult, Decision, Execution, Origin
from services.promotion.domain.lifecycle import Transition, open_promotion
from services.promotion.domain.progress import evaluated
from services.promotion.domain.promotion import Cause, Evaluation, Promotion, Request, Vote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def cause(actor: str = "service:rules", *, after: timedelta = timedelta()) -> Cause:
    return Cause(actor, NOW + after, {})


def pending(**changes: Any) -> Promotion:
    values: dict[str, Any] = {
        "organization_id": "acme",
        "id": UUID(int=1),
        "agent_id": "agent-1",
        "source_deployment_id": "dep-1",
        "target_environment": "staging",
        "origin": Origin.USER,
        "created_by": "rita",
        "created_at": NOW,
    } | changes
    return open_promotion(
        Request(**values),
        cause("rita"),
        source_environment="development",
        target_gateway_id="gw-staging",
        deployment_version="1.4.0",
        digest="sha256:aa",
    ).after


def evaluation(**changes: Any) -> Evaluation:
    values: dict[str, Any] = {
        "number": 1,
        "evaluated_at": NOW,
        "requires_approval": False,
        "required_approvers": 0,
        "conditions": ConditionsResult.NONE,
        "holds_until": None,
        "execution": Execution.AUTOMATIC,
        "expires_after": timedelta(days=30),
        "rules": (),
        "summary": "",
    } | changes
    return Evaluation(**values)


def vote(voter: str, *, override: bool = False, decision: Decision = Decision.APPROVE) -> Vote:
    return Vote(voter, decision, override, "because", NOW)


def evaluated_to(promotion: Promotion, **changes: Any) -> Promotion:
    step = evaluated(promotion, evaluation(**changes), cause())
    assert isinstance(step, Transition)
    return step.after
