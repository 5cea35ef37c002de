"""Figures by day as charts: coordinates for SVG that the server writes, and the same numbers in words."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from studio.console.views.moments import span
from studio.console.views.words import Tone

Json = Mapping[str, Any]

WIDTH, HEIGHT = 640, 190
LEFT, BOTTOM, TOP = 44, 22, 8
_PLOT_WIDTH, _PLOT_HEIGHT = WIDTH - LEFT, HEIGHT - BOTTOM - TOP
_STEPS = (1, 2, 5, 10)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TIME_STEPS = (
    1, 2, 5, 10, 20, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 20 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR,
    4 * _HOUR, 8 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 5 * _DAY, 10 * _DAY, 20 * _DAY,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid, or a day below the axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One block of a column."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone
    title: str


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a curve."""

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws; ``summary`` says it for those who do not see it."""

    name: str
    heading: str
    figure: str
    summary: str
    key: Sequence[tuple[Tone, str]]
    levels: Sequence[Tick]
    days: Sequence[Tick]
    bars: Sequence[Bar] = ()
    points: Sequence[Point] = ()

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to draw."""
        return not self.bars and not self.points

    @property
    def curve(self) -> str:
        """Give the points as SVG writes them."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


def charts(statistics: Json) -> list[Chart]:
    """Give every chart of the page."""
    days = statistics["days"]
    completed, failed = _total(days, "completed"), _total(days, "failed")
    rate = statistics["change_fail_rate"]
    return [
        _columns(
            "outcomes", "Outcomes", f"{completed} deployed", days,
            [("completed", "good", "deployed"), ("failed", "bad", "failed"), ("rejected", "off", "rejected")],
        ),
        _columns("requests", "Asked for", str(_total(days, "requested")), days, [("requested", "go", "asked for")]),
        _curve("lead", "Lead time", "from asked for to deployed, median", days, "lead_seconds", statistics),
        _curve("approval", "Approval waiting time", "from asked for to approved by people, median", days,
               "approval_seconds", statistics),
        _columns("frequency", "Deployment frequency", f"{completed / max(len(days), 1):.1f} a day", days,
                 [("completed", "good", "deployed")]),
        _columns("failures", "Change fail rate",
                 "no data" if rate is None else f"{rate:.1%} ({failed} of {failed + completed})", days,
                 [("failed", "bad", "failed")]),
    ]  # fmt: skip


def _total(days: Sequence[Json], name: str) -> int:
    return sum(day[name] for day in days)


def _columns(
    name: str, heading: str, figure: str, days: Sequence[Json], parts: Sequence[tuple[str, Tone, str]]
) -> Chart:
    highest = max((sum(day[part] for part, _, _ in parts) for day in days), default=0)
    top, levels = _levels(highest, _round_step, str)
    bars = []
    for place, day in enumerate(days):
        below = 0
        for part, tone, word in parts:
            if day[part]:
                bars.append(_bar(place, len(days), below, day[part], top, tone, f"{_named(day)}: {day[part]} {word}"))
                below += day[part]
    totals = ", ".join(f"{_total(days, part)} {word}" for part, _, word in parts)
    summary = f"{heading}: {totals} in {len(days)} days; at most {highest} on one day."
    key = [(tone, word) for _, tone, word in parts]
    return Chart(name, heading, figure, summary, key, levels, _day_ticks(days), bars=bars)


def _curve(name: str, heading: str, meaning: str, days: Sequence[Json], part: str, statistics: Json) -> Chart:
    known = [(place, day) for place, day in enumerate(days) if day[part] is not None]
    highest = max((day[part] for _, day in known), default=0)
    top, levels = _levels(highest, _time_step, span)
    points = [
        Point(_middle(place, len(days)), _height(day[part], top), f"{_named(day)}: {span(day[part])}")
        for place, day in known
    ]
    figure = "no data" if statistics[part] is None else span(statistics[part])
    summary = f"{heading}, {meaning}: {figure} over {len(days)} days; at most {span(highest)} on one day."
    return Chart(name, heading, figure, summary, [("go", meaning)], levels, _day_ticks(days), points=points)


def _levels(
    highest: float, step_for: Callable[[float], float], write: Callable[[Any], str]
) -> tuple[float, list[Tick]]:
    step = step_for(highest / 3)
    count = max(math.ceil(highest / step), 1)
    return step * count, [
        Tick(_height(step * n, step * count), write(step * n) if n else "0") for n in range(count + 1)
    ]


def _round_step(least: float) -> float:
    power: int = 10 ** math.floor(math.log10(max(least, 1)))
    return next(step * power for step in _STEPS if step * power >= least)


def _time_step(least: float) -> float:
    return next((step for step in _TIME_STEPS if step >= least), _TIME_STEPS[-1] * math.ceil(least / _TIME_STEPS[-1]))


def _height(value: float, top: float) -> float:
    return TOP + _PLOT_HEIGHT * (1 - value / top)


def _middle(place: int, count: int) -> float:
    return LEFT + _PLOT_WIDTH * (place + 0.5) / count


def _bar(place: int, count: int, below: float, value: float, top: float, tone: Tone, title: str) -> Bar:
    width = min(_PLOT_WIDTH / count * 0.7, 28)
    upper = _height(below + value, top)
    return Bar(_middle(place, count) - width / 2, upper, width, _height(below, top) - upper, tone, title)


def _day_ticks(days: Sequence[Json]) -> list[Tick]:
    every = max(round(len(days) / 6), 1)
    return [
        Tick(_middle(place, len(days)), _named(day))
        for place, day in enumerate(days)
        if (len(days) - 1 - place) % every == 0 and place >= every / 3
    ]


def _named(day: Json) -> str:
    moment = date.fromisoformat(day["day"])
    return f"{moment.day} {moment:%b}"
