"""Which of two facts stands, and when a fact from the future may count; any order of arrival ends the same."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from schemas.values import dataclass
from services.rules.domain.facts.fact import Fact
from services.rules.domain.facts.reading import AHEAD_TOLERATED

AHEAD_HELD = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The fact counts from now on."""


@dataclass(frozen=True, slots=True)
class HeldUntil:
    """The fact replaces nothing before ``instant``; keep it aside and ask again then."""

    instant: datetime


@dataclass(frozen=True, slots=True)
class Parked:
    """The fact is too far ahead to be anything but a wrong clock; park its event as ``future``."""

    message: str


def admit(observed_at: datetime, *, now: datetime) -> Admitted | HeldUntil | Parked:
    """Decide what to do with a fact of that time that arrives ``now``. Both are aware."""
    ahead = observed_at - now
    if ahead <= AHEAD_TOLERATED:
        return Admitted()
    if ahead <= AHEAD_HELD:
        return HeldUntil(observed_at - AHEAD_TOLERATED)
    return Parked(
        f"is dated {observed_at.isoformat()}, more than 24 hours ahead of {now.isoformat()}; "
        "set the sender's clock and send it again"
    )


def precedence(fact: Fact) -> tuple[datetime, str, str]:
    """Order facts of one field: the later event wins, ties go by (source, id)."""
    return fact.observed_at, fact.source, fact.event_id


def last_written(current: Fact | None, arriving: Fact) -> Fact:
    """Give the fact that stands once both have been seen, whichever came first."""
    if current is None or precedence(arriving) > precedence(current):
        return arriving
    return current


def merged(current: Mapping[str, Fact], arriving: Mapping[str, Fact]) -> dict[str, Fact]:
    """Give the facts that stand once both sets have been seen, field by field."""
    standing = dict(current)
    for path, fact in arriving.items():
        standing[path] = last_written(standing.get(path), fact)
    return standing
