"""A fact: one value that an event showed of one field, and when. Facts: all that is known of one deployment.

Values only. Each fact is classified once, when it is first looked at, so that evaluating only compares.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from types import MappingProxyType

from schemas.values import dataclass
from services.rules.domain.facts.fields import field_of
from services.rules.domain.facts.reading import Reading, read_value
from services.rules.domain.facts.reasons import Reason


def in_utc(instant: datetime) -> datetime:
    """Give an aware instant in UTC; a naive one is refused, for nobody knows what it means.

    Raises: ValueError.
    """
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone; give an aware datetime")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return instant.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fact:
    """A value as it was observed.

    ``value`` is whatever JSON held, or a Decimal; ``observed_at`` is the event's own time (aware); ``source`` and
    ``event_id`` name the event.
    """

    value: object
    observed_at: datetime
    source: str = ""
    event_id: str = ""

    def __post_init__(self) -> None:
        if self.observed_at.tzinfo is not UTC:
            object.__setattr__(self, "observed_at", in_utc(self.observed_at))


class Readings(dict[str, Reading]):
    """The readings of a deployment's facts, each classified when it is first looked at, and then kept."""

    def __init__(self, values: Mapping[str, Fact], states: Mapping[str, Reason]) -> None:
        super().__init__()
        self._values = values
        self._states = states

    def __missing__(self, path: str) -> Reading:
        fact, state = self._values.get(path), self._states.get(path)
        reading = self[path] = _reading(path, fact) if state is None else _held_back(fact, state)
        return reading


def _reading(path: str, fact: Fact | None) -> Reading:
    if fact is None:
        return Reading(value=None, flaw=Reason.MISSING)
    known = field_of(path)
    if known is None:
        return Reading(value=fact.value, flaw=Reason.TYPE_MISMATCH, observed_at=fact.observed_at)
    return read_value(known, fact.value, fact.observed_at)


def _held_back(fact: Fact | None, state: Reason) -> Reading:
    return (
        Reading(value=None, flaw=state)
        if fact is None
        else Reading(value=fact.value, flaw=state, observed_at=fact.observed_at)
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one deployment, by field path.

    ``active_since`` starts ``deployment.duration_hours``. ``states`` hold a field back whatever its value is
    (``run_in_progress``). ``baselines`` are the facts of the deployments that rules compare with, under
    ``target_current`` and ``previous``; leave out the one that does not exist.
    """

    values: Mapping[str, Fact] = field(default_factory=dict)
    active_since: datetime | None = None
    states: Mapping[str, Reason] = field(default_factory=dict)
    baselines: Mapping[str, "Facts"] = field(default_factory=dict)
    readings: Readings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.active_since is not None:
            object.__setattr__(self, "active_since", in_utc(self.active_since))
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))
        object.__setattr__(self, "readings", Readings(self.values, dict(self.states)))
