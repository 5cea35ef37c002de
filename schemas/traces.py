"""One trace for each promotion: W3C trace contexts, and span ids that follow from what they tell of. Pure.

A span's id is made of its promotion and its step, so that an event that is sent again is the same bytes.
"""

import hashlib
import re
from typing import NamedTuple
from uuid import UUID

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = 1


class TraceContext(NamedTuple):
    """A place in a trace: both ids in lower-case hexadecimal, and whether anybody records the trace."""

    trace_id: str
    span_id: str
    is_sampled: bool = True

    def at(self, span_id: str) -> "TraceContext":
        """Give another place in the same trace."""
        return self._replace(span_id=span_id)

    def __str__(self) -> str:
        """Write it as the header ``traceparent``."""
        return f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.is_sampled else 0:02x}"


def read_traceparent(given: str | None) -> TraceContext | None:
    """Read the header ``traceparent``; None where there is none or it is not one."""
    found = None if given is None else _FORM.fullmatch(given)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def span_id_of(organization_id: str, promotion_id: UUID, step: str) -> str:
    """Give the id of the span that tells of ``step`` of a promotion."""
    made = hashlib.blake2b(f"{organization_id}\n{promotion_id}\n{step}".encode(), digest_size=8).hexdigest()
    return made if made.strip("0") else "0" * 15 + "1"


def trace_id_of(promotion_id: UUID, traceparent: str | None) -> str:
    """Give the trace of a promotion: that of ``traceparent``, which came with the request, else its own id."""
    given = read_traceparent(traceparent)
    if given is not None:
        return given.trace_id
    # The nil UUID would be no trace id.
    return f"{promotion_id.int or 1:032x}"


def trace_of(organization_id: str, promotion_id: UUID, traceparent: str | None, *, step: str) -> TraceContext:
    """Give the place of ``step`` in the trace of a promotion."""
    given = read_traceparent(traceparent)
    return TraceContext(
        trace_id_of(promotion_id, traceparent),
        span_id_of(organization_id, promotion_id, step),
        given is None or given.is_sampled,
    )


def parent_in(trace_id: str, traceparent: str | None) -> str | None:
    """Give the span that ``traceparent`` names where it is one of the trace."""
    given = read_traceparent(traceparent)
    return given.span_id if given is not None and given.trace_id == trace_id else None
