"""Whether a rule whose conditions hold may start a promotion by itself: never twice, never against a person's no."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from schemas.vocabulary import PromotionStatus
from services.rules.domain.gateways import Unresolved, resolve_gateway
from services.rules.domain.promotion import Promotion
from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Deployment, Surroundings


class Block(StrEnum):
    """Why nothing is started, as a stable code."""

    NOT_ACTIVE = "not_active"
    LAST_ENVIRONMENT = "last_environment"
    ALREADY_REQUESTED = "already_requested"
    UNDER_WAY = "under_way"
    COMPLETED = "completed"
    A_PERSON_SAID_NO = "a_person_said_no"
    GATEWAY_AMBIGUOUS = "gateway_ambiguous"
    TARGET_RUNS_IT = "target_runs_it"


# What may go away without a fact, a rule or the clock having changed.
CURABLE = frozenset({Block.UNDER_WAY, Block.GATEWAY_AMBIGUOUS, Block.TARGET_RUNS_IT})


@dataclass(frozen=True, slots=True)
class Free:
    """Nothing is in the way of promoting it there."""

    target_environment: str
    gateway_id: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing is started, whatever the conditions say."""

    block: Block
    message: str


def way_ahead(
    rule: Rule,
    deployment: Deployment,
    *,
    promotions: Iterable[Promotion],
    already_requested: bool,
    surroundings: Surroundings,
) -> Free | Blocked:
    """Decide whether ``rule`` may promote ``deployment``; ``promotions`` are its agent's to the rule's target."""
    target = rule.target_environment
    blocked = _not_going(rule, deployment, surroundings) or _history(
        deployment, target, promotions, already_requested=already_requested
    )
    if blocked is not None:
        return blocked
    gateway = resolve_gateway(
        organization_id=deployment.organization_id,
        agent_id=deployment.agent_id,
        environment=target,
        asked=None,
        rules=[rule],
        surroundings=surroundings,
    )
    if isinstance(gateway, Unresolved):
        return Blocked(Block.GATEWAY_AMBIGUOUS, gateway.message)
    for running in surroundings.running(deployment.organization_id, deployment.agent_id, target):
        if running.gateway_id == gateway.gateway_id and _same_content(running, deployment):
            return Blocked(
                Block.TARGET_RUNS_IT,
                f"{running.gateway_id} already runs {running.version} as {running.deployment_id}",
            )
    return Free(target, gateway.gateway_id)


def _not_going(rule: Rule, deployment: Deployment, surroundings: Surroundings) -> Blocked | None:
    if not deployment.is_active:
        return Blocked(Block.NOT_ACTIVE, f"{deployment.deployment_id} is {deployment.status}, not active")
    following = surroundings.next_environment(deployment.organization_id, deployment.environment)
    if following != rule.target_environment:
        return Blocked(Block.LAST_ENVIRONMENT, f"{rule.target_environment} does not follow {deployment.environment}")
    return None


def _history(
    deployment: Deployment, target: str, promotions: Iterable[Promotion], *, already_requested: bool
) -> Blocked | None:
    for promotion in promotions:
        own = promotion.source_deployment_id == deployment.deployment_id
        shown = f"promotion {promotion.promotion_id}"
        if promotion.rejected_by_person and (own or _same_content(promotion, deployment)):
            return Blocked(Block.A_PERSON_SAID_NO, f"a person ended {shown} of this content to {target} with a no")
        if own and promotion.status is PromotionStatus.COMPLETED:
            return Blocked(Block.COMPLETED, f"{shown} brought it to {target}")
        if own and not promotion.is_ended:
            return Blocked(Block.UNDER_WAY, f"{shown} is under way: {promotion.status_message or promotion.status}")
    if already_requested:
        return Blocked(
            Block.ALREADY_REQUESTED,
            f"a rule asked for it once already; ask for a promotion to {target} yourself to try again",
        )
    return None


def _same_content(other: Deployment | Promotion, deployment: Deployment) -> bool:
    version = other.version if isinstance(other, Deployment) else other.deployment_version
    same_digest = deployment.digest is not None and other.digest == deployment.digest
    return same_digest or version == deployment.version
