"""Facts: what is known of a deployment, from which event, and how events become it. Pure values.

- ``Fact(value, observed_at, source, event_id)``: one observation; ``Facts(values, active_since=, states=,
  baselines=)``: all that is known of a deployment, ready to be evaluated.
- ``summarise_runs(events)``: all test run events of a deployment -> ``TestSummary(facts, states)``.
- ``metric_facts``, ``deployment_facts``: an event -> facts by path.
- ``merged``, ``last_written``: last writer wins by (event time, source, id).
- ``admit(observed_at, now=)``: ``Admitted | HeldUntil(instant) | Parked(message)`` for facts from the future.
- ``FIELDS``, ``field_of``, ``Field``: the registry of fields; ``parse_duration``, ``show_duration``.
"""

from services.rules.domain.facts.arrival import (
    AHEAD_HELD,
    Admitted,
    HeldUntil,
    Parked,
    admit,
    last_written,
    merged,
    precedence,
)
from services.rules.domain.facts.durations import parse_duration, show_duration
from services.rules.domain.facts.fact import Fact, Facts
from services.rules.domain.facts.fields import FIELDS, Field, FieldType, field_of
from services.rules.domain.facts.observations import deployment_facts, metric_facts
from services.rules.domain.facts.reading import AHEAD_TOLERATED
from services.rules.domain.facts.reasons import Reason
from services.rules.domain.facts.runs import Counts, RunEvent, TestSummary, summarise_runs

__all__ = [
    "AHEAD_HELD",
    "AHEAD_TOLERATED",
    "FIELDS",
    "Admitted",
    "Counts",
    "Fact",
    "Facts",
    "Field",
    "FieldType",
    "HeldUntil",
    "Parked",
    "Reason",
    "RunEvent",
    "TestSummary",
    "admit",
    "deployment_facts",
    "field_of",
    "last_written",
    "merged",
    "metric_facts",
    "parse_duration",
    "precedence",
    "show_duration",
    "summarise_runs",
]
