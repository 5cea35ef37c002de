"""The spans of requests and their evaluations, each in its promotion's trace; asked for only where traces are on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schemas.traces import parent_in, trace_of
from services.platform import tracing
from services.platform.tracing import Kind, Span
from services.rules.domain.evaluation import Evaluation
from services.rules.domain.request import Request

SERVICE = "rules"


def taken(requests: Sequence[Request], *, now: datetime) -> list[Request]:
    """Tell of new requests with their commit; give them with their own places, for what follows from them."""
    placed: list[Request] = []
    for request in requests:
        place = trace_of(request.organization_id, request.promotion_id, request.traceparent, step="rules")
        parent_id = parent_in(place.trace_id, request.traceparent)
        span = Span(SERVICE, "rules promotion.requested", place, parent_id, now, Kind.CONSUMER, _names(request))
        tracing.after_commit([span])
        placed.append(replace(request, traceparent=str(place)))
    return placed


def told(evaluations: Sequence[Evaluation], *, now: datetime) -> list[Evaluation]:
    """Tell of evaluations with their commit; give them with events that lead back to them."""
    return [_told(evaluation, now) for evaluation in evaluations]


def _told(evaluation: Evaluation, now: datetime) -> Evaluation:
    request, step = evaluation.request, f"evaluation {evaluation.number}"
    place = trace_of(request.organization_id, request.promotion_id, request.traceparent, step=step)
    attributes = {
        **_names(request),
        "promotion.evaluation": evaluation.number,
        "promotion.conditions": str(evaluation.conditions),
    }
    parent_id = parent_in(place.trace_id, request.traceparent)
    tracing.after_commit([Span(SERVICE, "rules evaluated", place, parent_id, now, Kind.INTERNAL, attributes)])
    event = replace(evaluation.event, extensions={**evaluation.event.extensions, "traceparent": str(place)})
    return replace(evaluation, event=event)


def _names(request: Request) -> dict[str, str | int]:
    return {
        "promotion.id": str(request.promotion_id),
        "promotion.organization_id": request.organization_id,
        "promotion.agent_id": request.agent_id,
        "promotion.target_environment": request.target_environment,
    }
