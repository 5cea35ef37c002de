"""The spans of promotions: requests over HTTP, and each step; asked for only where traces are on."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from schemas.events import Event, PromotionApproved, PromotionChanged, PromotionRequested
from schemas.traces import TraceContext, parent_in, read_traceparent, trace_of
from services.platform import tracing
from services.platform.tracing import Kind, Span
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Key, Promotion

SERVICE = "promotion"
DOOR = "ingress"


def asked(key: Key, caller: str | None) -> str:
    """Give the trace context of the request to create a promotion, in the trace of its sender if it has one."""
    return str(trace_of(key.organization_id, key.id, caller, step="request"))


def emit_creation(promotion: Promotion, caller: str | None, *, began_at: datetime) -> None:
    """Tell of the request that created ``promotion``, whose sender gave ``caller`` as trace context."""
    request = promotion.request
    place = read_traceparent(request.traceparent)
    if place is not None:
        sender = read_traceparent(caller)
        parent_id = None if sender is None else sender.span_id
        tracing.emit(Span(DOOR, "POST /api/v1/promotions", place, parent_id, began_at, Kind.SERVER, _names(promotion)))


def commanded(step: Transition, command: str) -> Transition:
    """Give the step that ``command`` made below a span of that request, which is told of with its commit."""
    before = place_of_step(step.after, step.after.version - 1)
    place = before.at(uuid4().hex[:16])
    name = f"POST /api/v1/promotions/{{promotion_id}}/{command}"
    span = Span(DOOR, name, place, before.span_id, step.cause.at, Kind.SERVER, _names(step.after))
    tracing.after_commit([span])
    return replace(step, cause=replace(step.cause, traceparent=str(place)))


def steps(made: Iterable[Transition]) -> list[Span]:
    """Give the spans of steps: each below what brought it, else below the step before."""
    return [_step(transition) for transition in made]


def told(events: Iterable[Event]) -> list[Event]:
    """Give the events of steps with the places of those: the same in a repeat, since a version is a step's own."""
    return [replace(event, extensions={**event.extensions, "traceparent": str(_told_at(event))}) for event in events]


def _told_at(event: Event) -> TraceContext:
    data = event.data
    assert isinstance(data, (PromotionRequested, PromotionApproved, PromotionChanged))
    assert data.promotion_id is not None
    version = 1 if isinstance(data, PromotionRequested) else data.version
    given = event.extensions.get("traceparent")
    return trace_of(data.organization_id, data.promotion_id, given, step=f"step {version}")


def place_of_step(promotion: Promotion, version: int) -> TraceContext:
    """Give the place of the step that made ``promotion`` what it was at ``version``."""
    request = promotion.request
    return trace_of(request.organization_id, request.id, request.traceparent, step=f"step {version}")


def _step(transition: Transition) -> Span:
    promotion, cause = transition.after, transition.cause
    place = place_of_step(promotion, promotion.version)
    parent_id = parent_in(place.trace_id, cause.traceparent)
    if parent_id is None and transition.before is not None:
        parent_id = place_of_step(promotion, transition.before.version).span_id
    return Span(
        SERVICE,
        f"promotion {promotion.state.status}/{promotion.state.reason}",
        place,
        parent_id,
        cause.at,
        Kind.INTERNAL if cause.event_id is None else Kind.CONSUMER,
        {**_names(promotion), "promotion.version": promotion.version, "promotion.actor": cause.actor},
    )


def _names(promotion: Promotion) -> dict[str, str | int]:
    request = promotion.request
    return {
        "promotion.id": str(request.id),
        "promotion.organization_id": request.organization_id,
        "promotion.agent_id": request.agent_id,
        "promotion.target_environment": request.target_environment,
    }
