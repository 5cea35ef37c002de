"""Rules, deployments and promotions as tests need them: complete, and different where a test says so."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.vocabulary import DeploymentStatus, Execution, Origin, PromotionStatus, RuleStatus, StatusReason
from services.rules.domain.promotion import Promotion
from services.rules.domain.request import Request
from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Deployment, Gateway, Surroundings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def a_rule(name: str = "rule", **fields: Any) -> Rule:
    return Rule(
        **{
            "id": uuid4(),
            "organization_id": "acme",
            "version": 1,
            "name": name,
            "source_environment": "development",
            "target_environment": "staging",
            "requires_approval": False,
            "auto_promote": True,
            "required_approvers": 1,
            "conditions": {"field": "metrics.error_rate", "op": "lte", "value": 0.01},
            "status": RuleStatus.ACTIVE,
            "execution": Execution.AUTOMATIC,
            "expires_after_seconds": 3600,
            "target_gateway_id": None,
            "created_at": NOW - timedelta(days=1),
            "created_by": "ada",
            "valid_from": NOW - timedelta(days=1),
            "changed_by": "ada",
            **fields,
        }
    )


def a_deployment(deployment_id: str = "dep-1", **fields: Any) -> Deployment:
    return Deployment(
        **{
            "organization_id": "acme",
            "deployment_id": deployment_id,
            "agent_id": "agent-1",
            "gateway_id": "gw-development",
            "environment": "development",
            "version": "1.0.0",
            "digest": "sha256:one",
            "status": DeploymentStatus.ACTIVE,
            "deployed_at": NOW - timedelta(days=1),
            "active_since": NOW - timedelta(days=1),
            "retired_at": None,
            **fields,
        }
    )


def a_promotion(**fields: Any) -> Promotion:
    return Promotion(
        **{
            "organization_id": "acme",
            "promotion_id": uuid4(),
            "agent_id": "agent-1",
            "source_deployment_id": "dep-1",
            "source_environment": "development",
            "target_gateway_id": "gw-staging",
            "target_environment": "staging",
            "deployment_version": "1.0.0",
            "digest": "sha256:one",
            "origin": Origin.USER,
            "status": PromotionStatus.PENDING,
            "status_reason": StatusReason.AWAITING_APPROVAL,
            "status_message": "waits",
            "evaluation_number": 1,
            "required_approvers": 1,
            "approvals": 0,
            "rejected_by_person": False,
            "created_by": "rita",
            "created_at": NOW,
            "completed_at": None,
            **fields,
        }
    )


def a_request(**fields: Any) -> Request:
    return Request(
        **{
            "organization_id": "acme",
            "promotion_id": UUID(int=1),
            "agent_id": "agent-1",
            "source_deployment_id": "dep-1",
            "asked_gateway_id": None,
            "target_environment": "staging",
            "created_by": "rita",
            "created_at": NOW,
            "origin": Origin.USER,
            "caused_by": "event-1",
            **fields,
        }
    )


def a_world(*deployments: Deployment, gateways: tuple[Gateway, ...] = (), **fields: Any) -> Surroundings:
    """One gateway an environment, unless ``gateways`` says otherwise, and these deployments."""
    known: dict[tuple[str, str], tuple[Deployment, ...]] = {}
    of_agent: dict[tuple[str, str], tuple[Deployment, ...]] = {}
    for each in deployments or (a_deployment(),):
        by_id, by_agent = (each.organization_id, each.deployment_id), (each.organization_id, each.agent_id)
        known[by_id] = (*known.get(by_id, ()), each)
        of_agent[by_agent] = (*of_agent.get(by_agent, ()), each)
    usual = tuple(Gateway(f"gw-{name}", name, is_default=False) for name in ("development", "staging", "production"))
    return Surroundings(known=known, of_agent=of_agent, gateways={"acme": gateways or usual}, **fields)
