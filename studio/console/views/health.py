"""The health of the system: each process with what it last said of itself, the troubled ones first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.console.views.words import Standing

Json = Mapping[str, Any]

_READY = Standing("Ready", "✓", "good")
_NOT_READY = Standing("Not ready", "✗", "bad")
_SILENT = Standing("Silent", "✗", "bad")


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one service."""

    report: Json
    standing: Standing
    waiting: int
    by_topic: str


def processes(reports: Sequence[Json]) -> list[Process]:
    """Give the processes, those in trouble first."""
    return sorted((_process(report) for report in reports), key=lambda process: process.standing is _READY)


def _process(report: Json) -> Process:
    waiting = {topic: count for topic, count in report["lag"].items() if count}
    standing = _SILENT if report["silent"] else _READY if report["ready"] else _NOT_READY
    return Process(
        report, standing, sum(waiting.values()), ", ".join(f"{topic}: {count}" for topic, count in waiting.items())
    )
