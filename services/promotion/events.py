"""What a step of a promotion tells the world; equal steps give equal events, byte for byte."""

from datetime import datetime

from schemas import topics
from schemas.events import Event, EventData, PromotionApproved, PromotionChanged, PromotionRequested, event_source
from schemas.events import event_type as type_of
from schemas.identifiers import event_id, slot_key
from services.promotion.domain import lifecycle
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Promotion

SERVICE = "promotion"


def of_transition(transition: Transition) -> list[Event]:
    """Give the events of one step: the change, and the order to execute where it begins to."""
    events = [changed(transition)]
    if transition.after.state == lifecycle.EXECUTING and transition.before is not None:
        events.append(approved(transition.after))
    return events


def changed(transition: Transition) -> Event:
    """Tell of one step."""
    promotion, cause, before = transition.after, transition.cause, transition.before
    request = promotion.request
    data = PromotionChanged.trusted(
        organization_id=request.organization_id,
        promotion_id=request.id,
        version=promotion.version,
        agent_id=request.agent_id,
        source_deployment_id=request.source_deployment_id,
        target_gateway_id=promotion.target_gateway_id,
        source_environment=promotion.source_environment,
        target_environment=request.target_environment,
        previous_status=None if before is None else before.state.status,
        status=promotion.state.status,
        status_reason=promotion.state.reason,
        status_message=promotion.message,
        actor=cause.actor,
        at=cause.at,
        target_deployment_id=promotion.target_deployment_id,
        break_glass=bool(cause.evidence.get("break_glass")),
    )
    extensions = {} if cause.event_id is None else {"causationid": cause.event_id}
    return _event(promotion, topics.PROMOTION_CHANGED, promotion.version, data, at=cause.at, extensions=extensions)


def requested(promotion: Promotion) -> Event:
    """Ask the rules about a promotion; the same however often it is asked."""
    request = promotion.request
    data = PromotionRequested.trusted(
        organization_id=request.organization_id,
        promotion_id=request.id,
        agent_id=request.agent_id,
        source_deployment_id=request.source_deployment_id,
        target_gateway_id=promotion.target_gateway_id,
        target_environment=request.target_environment,
        created_by=request.created_by,
        created_at=request.created_at,
        origin=request.origin,
        rule_id=None,
        rule_version=None,
    )
    return _event(promotion, topics.PROMOTION_REQUESTED, 1, data, at=request.created_at, extensions={})


def approved(promotion: Promotion) -> Event:
    """Order the executor to execute an executing promotion; the same however often it is ordered."""
    request, at, version = promotion.request, promotion.executing_at, promotion.executing_version
    if at is None or version is None or promotion.target_gateway_id is None or promotion.deployment_version is None:
        raise ValueError(f"promotion {request.id} is not executing")
    data = PromotionApproved.trusted(
        organization_id=request.organization_id,
        promotion_id=request.id,
        agent_id=request.agent_id,
        target_gateway_id=promotion.target_gateway_id,
        target_environment=request.target_environment,
        source_deployment_id=request.source_deployment_id,
        deployment_version=promotion.deployment_version,
        digest=promotion.digest,
        executing_at=at,
        version=version,
    )
    cause = _id(request.organization_id, str(request.id), topics.PROMOTION_CHANGED, version)
    slot = slot_key(request.organization_id, request.agent_id, promotion.target_gateway_id)
    extensions = {"causationid": cause}
    return _event(promotion, topics.PROMOTION_APPROVED, version, data, at=at, extensions=extensions, key=slot)


def _event(
    promotion: Promotion,
    topic: str,
    counter: int,
    data: EventData,
    *,
    at: datetime,
    extensions: dict[str, str],
    key: str | None = None,
) -> Event:
    request = promotion.request
    identifier = str(request.id)
    extensions["correlationid"] = identifier
    if request.traceparent is not None:
        extensions["traceparent"] = request.traceparent
    return Event(
        topic=topic,
        key=key or identifier,
        id=_id(request.organization_id, identifier, topic, counter),
        source=event_source(SERVICE, request.organization_id),
        subject=identifier,
        time=at,
        data=data,
        extensions=extensions,
    )


def _id(organization_id: str, promotion_id: str, topic: str, counter: int) -> str:
    return event_id(f"{organization_id}/{promotion_id}", counter, type_of(topic))
