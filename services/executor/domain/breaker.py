"""A circuit breaker as a value: whether a gateway may be called now, by what it answered lately.

After some failures in a row it opens for a short time, then lets one call through to see.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from schemas.values import dataclass

FAILURES_TO_OPEN = 5
FIRST_REST_SECONDS = 0.5
# Short, so that a gateway that is back is noticed soon.
LONGEST_REST_SECONDS = 4.0


class BreakerState(StrEnum):
    """Whether calls are let through: all, none, or one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a gateway's health."""

    failures: int = 0
    opens_at: datetime | None = None

    def state(self, now: datetime) -> BreakerState:
        """Say what is let through at ``now``."""
        if self.opens_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.opens_at else BreakerState.PROBING

    def after_failure(self, now: datetime) -> "Breaker":
        """Take in that a call failed; those that were under way when it opened change nothing."""
        if self.state(now) is BreakerState.OPEN:
            return self
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN:
            return Breaker(failures)
        rest_seconds = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2.0 ** min(failures - FAILURES_TO_OPEN, 8))
        return Breaker(failures, now + timedelta(seconds=rest_seconds))
