"""The spans of announcements that came with a trace context; made only where traces are on."""

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

from schemas.events import Event
from schemas.traces import read_traceparent
from services.platform import tracing
from services.platform.tracing import Kind, Span


def taken(events: Iterable[Event], *, now: datetime) -> None:
    """Tell, with their commit, that ``events`` were taken in: each in its own trace."""
    for event in events:
        sender = read_traceparent(event.extensions.get("traceparent"))
        if sender is not None:
            place = sender.at(uuid4().hex[:16])
            attributes = {"promotion.organization_id": event.data.organization_id, "deployment.id": event.subject or ""}
            name = f"inventory {event.topic}"
            tracing.after_commit([Span("inventory", name, place, sender.span_id, now, Kind.CONSUMER, attributes)])
