"""Test runs, turned into the ``tests.*`` facts: the latest finished run of each suite, and runs still under way.

A function of the set of run events: order and repetition do not matter. It never rounds a pass rate up.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_FLOOR, Context, Decimal

from schemas.values import dataclass
from services.rules.domain.facts.fact import Fact, in_utc
from services.rules.domain.facts.fields import FIELDS
from services.rules.domain.facts.reasons import Reason

_TEST_FIELDS = tuple(path for path in FIELDS if path.startswith("tests."))
_SEVERITY = {"success": 0, "cancel": 1, "failure": 2, "error": 3}
# Far more digits than two counts can need, and always downwards: one failure in 2^53 tests stays below 100.
_RATE = Context(prec=60, rounding=ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class Counts:
    """How the tests of one run ended."""

    passed: int
    failed: int
    errors: int = 0
    skipped: int = 0

    @property
    def executed(self) -> int:
        """Tests that ran; a skipped one did not."""
        return self.passed + self.failed + self.errors

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.errors + other.errors,
            self.skipped + other.skipped,
        )


@dataclass(frozen=True, slots=True)
class RunEvent:
    """A run of a suite started, or finished with counts, an outcome, or both. ``observed_at`` is the event's time."""

    suite: str
    run_id: str
    finished: bool
    observed_at: datetime
    source: str
    event_id: str
    counts: Counts | None = None
    outcome: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "observed_at", in_utc(self.observed_at))

    @property
    def precedence(self) -> tuple[datetime, str, str]:
        """Order among events: the later wins, ties go by (source, id)."""
        return self.observed_at, self.source, self.event_id

    @property
    def trusted_counts(self) -> Counts | None:
        """The counts, unless the run broke off: ten passed tests of a cancelled thousand prove nothing."""
        return None if self.outcome in ("cancel", "error") else self.counts

    @property
    def worst_outcome(self) -> str | None:
        """What the run amounts to: the worse of what it says and what it counted; None where nothing ran."""
        said = [self.outcome] if self.outcome in _SEVERITY else []
        if self.counts is not None:
            said += ["error"] if self.counts.errors else []
            said += ["failure"] if self.counts.failed else []
            said += ["success"] if self.counts.passed else []
        return max((word for word in said if word), key=_SEVERITY.__getitem__, default=None)


@dataclass(frozen=True, slots=True)
class TestSummary:
    """The ``tests.*`` facts of one deployment, and the fields that a run under way holds back."""

    __test__ = False

    facts: dict[str, Fact]
    states: dict[str, Reason]


def summarise_runs(events: Iterable[RunEvent]) -> TestSummary:
    """Reduce every run event of one deployment to its facts. Give all of them; repeats are harmless."""
    suites: dict[str, list[RunEvent]] = defaultdict(list)
    for event in events:
        suites[event.suite].append(event)
    latest = [run for run in map(_latest_finished, suites.values()) if run is not None]
    under_way = any(map(_newer_run_under_way, suites.values()))
    return TestSummary(
        facts=_facts(latest) if latest else {},
        states=dict.fromkeys(_TEST_FIELDS, Reason.RUN_IN_PROGRESS) if under_way else {},
    )


def _latest_finished(events: list[RunEvent]) -> RunEvent | None:
    finished = (event for event in events if event.finished)
    return max(finished, key=lambda event: event.precedence, default=None)


def _newer_run_under_way(events: list[RunEvent]) -> bool:
    """Tell whether a run began no earlier than the latest finished one did, and has not finished."""
    starts: dict[str, datetime] = {}
    ends: dict[str, datetime] = {}
    for event in events:
        times = ends if event.finished else starts
        times[event.run_id] = max(event.observed_at, times.get(event.run_id, event.observed_at))
    latest = _latest_finished(events)
    begin = None if latest is None else min(starts.get(latest.run_id, latest.observed_at), latest.observed_at)
    return any(
        (begin is None or started >= begin) and (run not in ends or started > ends[run])
        for run, started in starts.items()
    )


def _facts(latest: list[RunEvent]) -> dict[str, Fact]:
    shown_by = max(latest, key=lambda event: event.precedence)
    values: dict[str, object] = {
        "tests.passed_suites": sorted(run.suite for run in latest if run.worst_outcome == "success"),
        **_outcome(latest),
        **_counted(latest),
    }
    return {
        path: Fact(value, shown_by.observed_at, shown_by.source, shown_by.event_id) for path, value in values.items()
    }


def _outcome(latest: list[RunEvent]) -> dict[str, object]:
    """Give the worst outcome; a suite that ran nothing keeps the whole from being a success."""
    outcomes = [run.worst_outcome for run in latest]
    worst = max((outcome for outcome in outcomes if outcome), key=_SEVERITY.__getitem__, default=None)
    if worst is None or (worst == "success" and None in outcomes):
        return {}
    return {"tests.outcome": worst}


def _counted(latest: list[RunEvent]) -> dict[str, object]:
    """Add the counts up, if every suite gave some; one without leaves the sums and the rate unknown."""
    counts = [run.trusted_counts for run in latest]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return {}
    total = sum(known, Counts(0, 0))
    values: dict[str, object] = {
        "tests.total": total.executed + total.skipped,
        "tests.passed": total.passed,
        "tests.failed": total.failed,
        "tests.errors": total.errors,
        "tests.skipped": total.skipped,
    }
    if total.executed:
        values["tests.pass_rate"] = _RATE.divide(Decimal(100 * total.passed), Decimal(total.executed))
    return values
