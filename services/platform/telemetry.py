"""Logs and metrics: structured lines on stderr, Prometheus counters; never a secret, never a body."""

import logging
import sys
from typing import TextIO

import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.platform.last_trouble import remember
from services.platform.redaction import redact_event

CONSUMED = Counter("promotion_records_consumed", "Records handled", ["service", "topic"])
PARKED = Counter("promotion_records_parked", "Records parked as dead letters", ["service", "topic", "reason"])
RETRIED = Counter("promotion_batches_retried", "Batches that failed and are tried again", ["service", "topic"])
PUBLISHED = Counter("promotion_records_published", "Records acknowledged by Kafka", ["service", "topic"])
GLASS_BROKEN = Counter("promotion_glass_broken", "Promotions that an administrator approved alone")
OUTBOX_ROWS = Gauge("promotion_outbox_rows", "Records that wait in an outbox; counted up to 100,000", ["service"])
OUTBOX_AGE = Gauge("promotion_outbox_oldest_seconds", "How long the oldest record of an outbox has waited", ["service"])
LAG = Gauge("promotion_consumer_lag_records", "Records that wait for this process", ["service", "topic"])
READY = Gauge("promotion_ready", "Whether the process does its work: 1, or 0", ["service"])
HTTP_SECONDS = Histogram("promotion_http_seconds", "Time until an answer begins", ["method", "status"])
BATCH_SECONDS = Histogram("promotion_batch_seconds", "Time to handle one batch", ["service", "topic"])


def configure_logging(*, level: str, style: str, stream: TextIO | None = None) -> None:
    """Send log lines of at least ``level`` to ``stream``, by default stderr, as ``json`` or as ``text``."""
    stream = stream or sys.stderr
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    ending: list[structlog.types.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_event,
        renderer,
    ]
    logging.basicConfig(level=logging.WARNING, stream=stream)
    # What libraries log, in the same shape.
    libraries = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    for handler in logging.getLogger().handlers:
        handler.setFormatter(libraries)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            remember,
            *ending,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
