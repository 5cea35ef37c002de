"""The history of a promotion as a line of moments."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.console.views.words import Standing, standing

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry; ``evidence`` is what it rests on, as JSON, empty where there is nothing to show."""

    at: str
    standing: Standing
    said: str
    actor: str
    evidence: str


def moments(history: Sequence[Json]) -> list[Moment]:
    """Give the newest first."""
    return [_moment(entry) for entry in reversed(history)]


def _moment(entry: Json) -> Moment:
    actor = f"{entry['actor']} (through {entry['via']})" if entry["via"] else entry["actor"]
    evidence = json.dumps(entry["evidence"], indent=2, ensure_ascii=False) if entry["evidence"] else ""
    return Moment(entry["at"], standing(entry), entry["status_message"], actor, evidence)
