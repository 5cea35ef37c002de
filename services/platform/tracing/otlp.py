"""Spans as OTLP over HTTP, by the OpenTelemetry SDK; the one place that knows it, loaded only where traces are on.

A thread of the SDK sends them in batches; what does not fit its queue is dropped.
"""

import os
import threading
import time
from collections.abc import Sequence
from functools import lru_cache

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from schemas.traces import TraceContext
from services.platform.redaction import redacted, redacted_text
from services.platform.tracing import Kind, Span

CLOSE_SECONDS = 2.0
_SCOPE = InstrumentationScope("promotion")
_log = structlog.get_logger()
_KINDS = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.CONSUMER: SpanKind.CONSUMER,
}


class OtlpExport:
    """Sends spans to where the OTEL_EXPORTER_OTLP variables say; ``instance`` names the process."""

    def __init__(self, *, instance: str) -> None:
        self._instance = instance
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        self._resource = lru_cache(self._resource_of)

    def take(self, spans: Sequence[Span]) -> None:
        """Queue ``spans``."""
        ended_ns = time.time_ns()
        for span in spans:
            # So that a log leads to its trace, whether or not anybody receives it.
            _log.info("span", service=span.service, span=span.name, trace_id=span.place.trace_id, **span.attributes)
            self._processor.on_end(readable(span, resource=self._resource(span.service), ended_ns=ended_ns))

    def close(self) -> None:
        """Send what is queued; leave off after two seconds, whatever the receiver does."""
        # The SDK waits for as long as its retries take; a thread that may be left behind does not.
        closing = threading.Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def _resource_of(self, service: str) -> Resource:
        return Resource.create(
            {"service.name": service, "service.instance.id": self._instance, "process.pid": os.getpid()}
        )


def readable(span: Span, *, resource: Resource, ended_ns: int) -> ReadableSpan:
    """Give ``span`` as the SDK sends it, searched for secrets as a line of the log is."""
    began_ns = min(int(span.began_at.timestamp() * 1e9), ended_ns)
    return ReadableSpan(
        span.name,
        context=_context(span.place),
        parent=None if span.parent_id is None else _context(span.place.at(span.parent_id)),
        resource=resource,
        attributes=redacted("", span.attributes),
        kind=_KINDS[span.kind],
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, redacted_text(span.error)),
        start_time=began_ns,
        end_time=ended_ns,
        instrumentation_scope=_SCOPE,
    )


def _context(place: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(place.trace_id, 16), int(place.span_id, 16), is_remote=True, trace_flags=flags)
