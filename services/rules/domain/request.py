"""A request for a promotion, as the rules see it, and whether it can be promoted at all."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from schemas.values import dataclass
from schemas.vocabulary import Origin
from services.rules.domain.gateways import Unresolved, resolve_gateway
from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Deployment, Surroundings


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks to promote what, where to, and which event brought it."""

    organization_id: str
    promotion_id: UUID
    agent_id: str
    source_deployment_id: str
    asked_gateway_id: str | None
    target_environment: str
    created_by: str
    created_at: datetime
    origin: Origin
    caused_by: str
    traceparent: str | None = None
    rule_id: UUID | None = None
    rule_version: int | None = None

    @property
    def key(self) -> tuple[str, UUID]:
        """Identify it."""
        return self.organization_id, self.promotion_id


@dataclass(frozen=True, slots=True)
class Eligible:
    """It can be promoted, to that gateway, if the rules allow it."""

    deployment: Deployment
    gateway_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be promoted whatever the rules say; the message says why and what to do."""

    message: str
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True)
class Unseen:
    """Nothing is known yet of its source deployment."""


def examine(request: Request, rules: Iterable[Rule], surroundings: Surroundings) -> Eligible | Refused | Unseen:
    """Decide whether ``request`` can be promoted at all; ``rules`` are those of its hop."""
    deployment = surroundings.deployment(request.organization_id, request.source_deployment_id)
    if deployment is None:
        return Unseen()
    trouble = _trouble(request, deployment, surroundings)
    if trouble is not None:
        return Refused(trouble, deployment)
    gateway = resolve_gateway(
        organization_id=request.organization_id,
        agent_id=request.agent_id,
        environment=request.target_environment,
        asked=request.asked_gateway_id,
        rules=rules,
        surroundings=surroundings,
    )
    if isinstance(gateway, Unresolved):
        return Refused(gateway.message, deployment)
    return Eligible(deployment, gateway.gateway_id)


def never_seen(request: Request, held_seconds: float) -> Refused:
    """Refuse a request whose deployment did not appear while it was held."""
    return Refused(
        f"deployment {request.source_deployment_id} was not announced within {held_seconds:g} s; "
        "announce it with deployment.completed and ask again"
    )


def _trouble(request: Request, deployment: Deployment, surroundings: Surroundings) -> str | None:
    if deployment.agent_id != request.agent_id:
        return (
            f"deployment {deployment.deployment_id} runs agent {deployment.agent_id}, not {request.agent_id}; "
            f"ask with agent_id {deployment.agent_id}"
        )
    if not deployment.is_active:
        return (
            f"deployment {deployment.deployment_id} is {deployment.status}, not active; "
            "promote the deployment that runs now"
        )
    return _wrong_hop(request, deployment.environment, surroundings.order(request.organization_id))


def _wrong_hop(request: Request, source: str, order: tuple[str, ...]) -> str | None:
    target = request.target_environment
    for name in (source, target):
        if name not in order:
            return f"environment {name} is not one of {', '.join(order)}; use one of these"
    start, end = order.index(source), order.index(target)
    if end == start + 1:
        return None
    if end > start:
        skipped = ", ".join(order[start + 1 : end])
        return f"a promotion from {source} to {target} would skip {skipped}; promote to {order[start + 1]} first"
    return f"{target} does not come after {source}; deployments move {' → '.join(order)}"
