"""Replays what was recorded of deployments: when would a rule have promoted each. Pure; never slower than the record.

Time here is the record's: facts count from when they were observed, the clock moves from one to the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.rules.domain.conditions import CompiledConditions, Value, evaluate, next_change
from services.rules.domain.facts import Fact, Facts, RunEvent, summarise_runs
from services.rules.domain.knowledge import facts_with
from services.rules.domain.surroundings import Deployment

# Turns of the clock between two facts are followed this often at most; each is a threshold of the rule.
_MOST_TURNS = 1_000


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded of one deployment: ``initial`` facts, then ``facts`` and ``runs`` in the order of their times.

    It was active from ``started`` until before ``ended``. ``targets`` are the recordings of what ran in the target
    environment, ``previous`` that of what ran before it.
    """

    deployment: Deployment
    started: datetime
    ended: datetime | None
    initial: dict[str, Fact]
    facts: Sequence[tuple[str, Fact]]
    runs: Sequence[RunEvent]
    targets: Sequence["Recording"] = ()
    previous: "Recording | None" = None

    def is_active(self, at: datetime) -> bool:
        """Tell whether it was active at that instant."""
        return self.started <= at and (self.ended is None or at < self.ended)


def first_promotion(
    conditions: CompiledConditions, recording: Recording, *, since: datetime, until: datetime
) -> datetime | None:
    """Give the first instant at which the conditions held while the deployment was active, or None."""
    start = max(since, recording.started)
    end = until if recording.ended is None else min(until, recording.ended)
    if start >= end:
        return None
    instants = sorted({start, *(at for at in _moments(conditions, recording) if start < at < end)})
    tape = _Tape(recording, conditions.fields)
    for instant, following in zip(instants, [*instants[1:], end], strict=True):
        held = _first_true(conditions, tape.facts_at(instant), instant, following)
        if held is not None:
            return held
    return None


def _first_true(conditions: CompiledConditions, facts: Facts, start: datetime, end: datetime) -> datetime | None:
    """Give the first instant from ``start`` until before ``end`` at which the conditions hold, facts frozen."""
    now = start
    for _ in range(_MOST_TURNS):
        if evaluate(conditions, facts, now) is Value.TRUE:
            return now
        turn = next_change(conditions, facts, now)
        if turn is None or turn >= end:
            return None
        now = turn
    return None


def _moments(conditions: CompiledConditions, recording: Recording) -> Iterator[datetime]:
    others = [*recording.targets, *([] if recording.previous is None else [recording.previous])]
    compared = others if conditions.baselines else []
    for each in (recording, *compared):
        yield from (fact.observed_at for path, fact in each.facts if path in conditions.fields)
        yield from (run.observed_at for run in each.runs)
    for each in compared:
        yield each.started
        if each.ended is not None:
            yield each.ended


class _Tape:
    """Winds a recording forward; instants have to be asked for in order."""

    def __init__(self, recording: Recording, fields: frozenset[str]) -> None:
        self._recording = recording
        self._fields = fields
        self._values = dict(recording.initial)
        self._next_fact = self._next_run = 0
        self._tests = summarise_runs(())
        self._targets = [_Tape(each, fields) for each in recording.targets]
        self._previous = None if recording.previous is None else _Tape(recording.previous, fields)

    def facts_at(self, now: datetime) -> Facts:
        """Give what was known at that instant."""
        baselines: dict[str, Facts] = {}
        for tape in self._targets:
            if tape._recording.is_active(now):
                baselines["target_current"] = tape.facts_at(now)
        if self._previous is not None:
            baselines["previous"] = self._previous.facts_at(now)
        facts, runs = self._recording.facts, self._recording.runs
        while self._next_fact < len(facts) and facts[self._next_fact][1].observed_at <= now:
            path, fact = facts[self._next_fact]
            self._values[path] = fact
            self._next_fact += 1
        before = self._next_run
        while self._next_run < len(runs) and runs[self._next_run].observed_at <= now:
            self._next_run += 1
        if self._next_run > before:
            self._tests = summarise_runs(runs[: self._next_run])
        started = self._recording.started if self._recording.is_active(now) else None
        values = {path: fact for path, fact in self._values.items() if path in self._fields}
        return facts_with(self._recording.deployment, values, self._tests, active_since=started, baselines=baselines)
