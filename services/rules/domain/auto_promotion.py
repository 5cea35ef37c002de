"""A promotion that a rule asks for by itself: at most one for each deployment and target, with one name for ever."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas import topics
from schemas.events import Event, PromotionRequested, event_source, event_type
from schemas.identifiers import event_id, promotion_id_of_event
from schemas.vocabulary import Origin
from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Deployment
from services.rules.domain.trigger import Free

# (organization, deployment, target environment)
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class AutoPromotion:
    """What a rule asked for, and whether its own change, not a fact or the clock, made it ask."""

    organization_id: str
    deployment_id: str
    target_environment: str
    promotion_id: UUID
    agent_id: str
    target_gateway_id: str
    rule_id: UUID
    rule_version: int
    requested_at: datetime
    by_rule_change: bool

    @property
    def key(self) -> Key:
        """Identify it."""
        return self.organization_id, self.deployment_id, self.target_environment

    @property
    def created_by(self) -> str:
        """Name the rule as the one who asks; never a person."""
        return f"rule:{self.rule_id}"


def asked_by(rule: Rule, deployment: Deployment, way: Free, *, now: datetime, by_rule_change: bool) -> AutoPromotion:
    """Give what ``rule`` asks for."""
    organization_id = deployment.organization_id
    name = f"{deployment.deployment_id}\n{way.target_environment}"
    return AutoPromotion(
        organization_id=organization_id,
        deployment_id=deployment.deployment_id,
        target_environment=way.target_environment,
        promotion_id=promotion_id_of_event(organization_id, event_source("rules", organization_id), name),
        agent_id=deployment.agent_id,
        target_gateway_id=way.gateway_id,
        rule_id=rule.id,
        rule_version=rule.version,
        requested_at=now,
        by_rule_change=by_rule_change,
    )


def request_event(asked: AutoPromotion) -> Event:
    """Give the ``promotion.requested`` that asks for it; always the same for the same."""
    promotion_id = str(asked.promotion_id)
    return Event(
        topic=topics.PROMOTION_REQUESTED,
        key=promotion_id,
        id=event_id(promotion_id, 1, event_type(topics.PROMOTION_REQUESTED)),
        source=event_source("rules", asked.organization_id),
        subject=promotion_id,
        time=asked.requested_at,
        data=PromotionRequested(
            organization_id=asked.organization_id,
            promotion_id=asked.promotion_id,
            agent_id=asked.agent_id,
            source_deployment_id=asked.deployment_id,
            target_gateway_id=asked.target_gateway_id,
            target_environment=asked.target_environment,
            created_by=asked.created_by,
            created_at=asked.requested_at,
            origin=Origin.AUTO,
            rule_id=asked.rule_id,
            rule_version=asked.rule_version,
        ),
        extensions={"correlationid": promotion_id},
    )
