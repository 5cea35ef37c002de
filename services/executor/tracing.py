"""The spans of executions and of calls to gateways, in their promotions' traces; made only where traces are on."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from schemas.traces import TraceContext, parent_in, trace_of
from services.executor.domain.answers import Answer, Call, NoAnswer
from services.executor.domain.execution import Order
from services.executor.domain.settlements import Result
from services.executor.store.arrivals import Arrival
from services.platform import tracing
from services.platform.tracing import Kind, Span

SERVICE = "executor"


def placed(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Give orders with their executions' places as trace context: calls and reports come below those."""
    return [
        replace(each, order=replace(each.order, traceparent=str(_place(each.order, "execution")))) for each in arrivals
    ]


def taken(arrivals: Sequence[Arrival], kept: Collection[tuple[str, UUID]], *, now: datetime) -> None:
    """Tell, with their commit, of the orders among ``arrivals``, as they came, that were ``kept`` as new."""
    for order in (each.order for each in arrivals):
        if (order.organization_id, order.promotion_id) in kept:
            place = _place(order, "order")
            parent_id = parent_in(place.trace_id, order.traceparent)
            span = Span(SERVICE, "executor promotion.approved", place, parent_id, now, Kind.CONSUMER, _names(order))
            tracing.after_commit([span])


def ended(results: Iterable[Result]) -> None:
    """Tell, with their commit, of the executions that came to their end."""
    for result in results:
        finished = result.finished()
        if finished is not None:
            order, execution = result.execution.order, result.execution
            tracing.after_commit(
                [
                    Span(
                        SERVICE,
                        "execution",
                        _place(order, "execution"),
                        _place(order, "order").span_id,
                        execution.received_at,
                        attributes={**_names(order), "promotion.attempts": execution.attempts},
                        error=finished.error if finished.verdict is not None else None,
                    )
                ]
            )


def place_of_call(order: Order) -> TraceContext:
    """Give a fresh place for one call about ``order``."""
    return _place(order, uuid4().hex)


def emit_call(
    call: Call, order: Order, place: TraceContext, answer: Answer | NoAnswer, *, url: str, began_at: datetime
) -> None:
    """Tell of one call and what came of it."""
    attributes = {**_names(order), "http.request.method": call.value, "url.full": url}
    error = None
    if isinstance(answer, NoAnswer):
        error = answer.reason
    else:
        attributes["http.response.status_code"] = answer.status
        error = f"status {answer.status}" if answer.status >= 400 else None
    parent_id = _place(order, "execution").span_id
    tracing.emit(Span(SERVICE, f"gateway {call.value}", place, parent_id, began_at, Kind.CLIENT, attributes, error))


def _place(order: Order, step: str) -> TraceContext:
    return trace_of(order.organization_id, order.promotion_id, order.traceparent, step=step)


def _names(order: Order) -> dict[str, str | int]:
    return {
        "promotion.id": order.key,
        "promotion.organization_id": order.organization_id,
        "promotion.agent_id": order.agent_id,
        "promotion.target_environment": order.environment,
        "promotion.gateway_id": order.gateway_id,
    }
