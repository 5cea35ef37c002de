"""Spans: what happened to a promotion and how long it took, exported after the commit that made it true.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set; whoever makes spans asks ``is_on`` first. Nothing waits for an export.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from schemas.traces import TraceContext


class Kind(Enum):
    """On which side of a call or a record a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work of ``service``, from ``began_at`` to the moment at which it is emitted."""

    service: str
    name: str
    place: TraceContext
    parent_id: str | None
    began_at: datetime
    kind: Kind = Kind.INTERNAL
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    # Why it failed; None where it did not.
    error: str | None = None


class Export(Protocol):
    """Takes spans; never waits and never raises for want of somebody to send them to."""

    def take(self, spans: Sequence[Span]) -> None:
        """Send ``spans`` some time soon, or drop them."""

    def close(self) -> None:
        """Send what is left, for two seconds at most."""


_export: Export | None = None
_held: ContextVar[list[Span] | None] = ContextVar("spans of the transaction under way", default=None)


def is_on() -> bool:
    """Tell whether anybody takes spans."""
    return _export is not None


def emit(*spans: Span) -> None:
    """Export spans of what has happened for good."""
    recorded = [span for span in spans if span.place.is_sampled]
    if _export is not None and recorded:
        _export.take(recorded)


def after_commit(spans: Sequence[Span]) -> None:
    """Export ``spans`` once the transaction under way is committed; never where it is not."""
    held = _held.get()
    if held is None:
        emit(*spans)
    else:
        held.extend(spans)


@contextmanager
def holding() -> Iterator[None]:
    """Hold the spans of what is done inside until it ends well."""
    outer, held = _held.get(), list[Span]()
    _held.set(held)
    try:
        yield
        emit(*held)
    finally:
        _held.set(outer)


@contextmanager
def exporting(export: Export | None) -> Iterator[None]:
    """Send spans to ``export`` meanwhile; None leaves them unmade."""
    global _export
    before, _export = _export, export
    try:
        yield
    finally:
        _export = before
        if export is not None:
            export.close()
