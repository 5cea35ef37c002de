"""What a run says: figures, the rare windows, what does not hold, and the exit status that follows. Pure."""

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.chaos.checks import CATEGORIES, Violation, violations
from tests.chaos.database import Row
from tests.chaos.run import Options, Ran
from tests.chaos.windows import missing, windows

HELD, BROKEN, INVALID = 0, 1, 2
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    options: Options
    found: Sequence[Violation]
    missing_windows: Sequence[str]
    figures: Mapping[str, Any]

    @property
    def status(self) -> int:
        """1 where something does not hold, 2 where the run showed nothing."""
        if self.found:
            return BROKEN
        return INVALID if self.missing_windows else HELD

    def as_json(self) -> str:
        """Give everything for programs."""
        broken = [{"category": each.category, "text": each.text} for each in self.found]
        return json.dumps(
            {**self.figures, "violations": broken, "missing_windows": list(self.missing_windows), "status": self.status}
        )

    def as_text(self) -> str:
        """Give everything for people."""
        lines = [f"{name}: {_shown(value)}" for name, value in self.figures.items()]
        lines += [f"BROKEN  {each.category}: {each.text}" for each in self.found[:_MOST_SHOWN]]
        if len(self.found) > _MOST_SHOWN:
            lines.append(f"BROKEN  and {len(self.found) - _MOST_SHOWN} more")
        lines += [f"INVALID  it never occurred: {name}" for name in self.missing_windows]
        lines.append(("every invariant held", "BROKEN", "the run is invalid: it shows nothing")[self.status])
        return "\n".join(lines)


def report(options: Options, ran: Ran) -> Report:
    """Judge a run."""
    evidence = ran.evidence
    found = list(violations(evidence))
    counted = windows(evidence)
    by_category = Counter(each.category for each in found)
    heals = sorted(struck.healed_at for struck in evidence.struck)
    every, last = recovery_seconds(evidence.promotions, heals), recovery_seconds(evidence.promotions, heals[-1:])
    figures: dict[str, Any] = {
        "promotions": len(evidence.promotions),
        "ends": dict(Counter(f"{r['status']}/{r['status_reason']}" for r in evidence.promotions.values())),
        "faults": dict(Counter(str(struck.fault.kind) for struck in evidence.struck)),
        "seed": options.seed,
        "broker": f"{options.kafka}, {options.brokers} node(s)",
        "seconds": round(ran.healed_at - ran.began_at + ran.rest_seconds),
        "under way after the last fault": len(last),
        "recovery after the last fault, seconds": _ranks(last),
        "under way after any fault": len(every),
        "recovery after any fault, seconds": _ranks(every),
        "at rest after seconds": round(ran.rest_seconds, 1),
        "calls at the door": len(evidence.told),
        "records on the topics": len(evidence.seen),
        "asked for over Kafka again": ran.resent,
        "memory before and at rest, MiB": {name: f"{a} → {b}" for name, (a, b) in ran.mebibytes.items()},
        "windows": counted,
        **{category: by_category[category] for category in CATEGORIES},
    }
    return Report(options, found, missing(counted, [struck.fault for struck in evidence.struck]), figures)


def recovery_seconds(promotions: Mapping[UUID, Row], heals: Sequence[float]) -> list[float]:
    """Give how long each promotion took that was under way when a fault was healed, in order.

    It is counted from the last healing before its end, for what a later fault delayed no earlier one explains.
    """
    found: list[float] = []
    for row in promotions.values():
        if row["completed_at"] is not None:
            created, ended = row["created_at"].timestamp(), row["completed_at"].timestamp()
            found += [ended - healed for healed in [h for h in heals if created < h < ended][-1:]]
    return sorted(found)


def _ranks(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    ranks = statistics.quantiles([values[0], *values], n=100, method="inclusive")
    return {"p50": round(ranks[49], 2), "p99": round(ranks[98], 2), "most": round(values[-1], 2)}


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "none"
    return str(value)
