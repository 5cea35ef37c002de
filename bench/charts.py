"""Charts as SVG, by hand: bars side by side with the spread of their rounds, and lines over a course."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 760, 230, 90, 64, 34
_COLOURS = ("#2b6cb0", "#718096", "#a0aec0", "#2f855a", "#b7791f", "#9b2c2c", "#553c9a", "#285e61")


@dataclass(frozen=True)
class Bar:
    """One value, with the lowest and the highest of its rounds."""

    label: str
    value: float
    low: float
    high: float


def bars(title: str, unit: str, drawn: Sequence[Bar]) -> str:
    """Draw horizontal bars."""
    scale = (_WIDTH - _LEFT - _RIGHT) / max(max(bar.high for bar in drawn), 1e-9)
    parts = []
    for place, bar in enumerate(drawn):
        y = _TOP + place * _ROW
        end, low, high = (_LEFT + value * scale for value in (bar.value, bar.low, bar.high))
        parts += [
            _text(_LEFT - 10, y + 16, bar.label, anchor="end"),
            f'<rect x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="22" fill="{_COLOURS[place % 8]}"/>',
            f'<path d="M{low:.1f} {y + 11}H{high:.1f}" stroke="#1a202c" stroke-width="1.5"/>',
            _text(max(end, high) + 8, y + 16, f"{bar.value:,.4g}" if bar.value < 1000 else f"{bar.value:,.0f}"),
        ]
    return _whole(title, unit, parts, height=_TOP + len(drawn) * _ROW + 16)


def lines(title: str, unit: str, drawn: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw lines from (x, y) to (x, y), all from the origin up."""
    height, left, bottom = 420, 60, 380
    most_x = max((x for points in drawn.values() for x, _ in points), default=1) or 1
    most_y = max((y for points in drawn.values() for _, y in points), default=1) or 1
    across, up = (_WIDTH - left - 190) / most_x, (bottom - _TOP) / most_y
    parts = [
        f'<path d="M{left} {_TOP}V{bottom}H{_WIDTH - 190}" fill="none" stroke="#4a5568"/>',
        _text(left - 8, _TOP + 4, f"{most_y:,.0f}", anchor="end"),
        _text(left - 8, bottom, "0", anchor="end"),
        _text(_WIDTH - 190, bottom + 20, f"{most_x:,.0f}", anchor="end"),
    ]
    for place, (label, points) in enumerate(drawn.items()):
        colour = _COLOURS[place % 8]
        path = " ".join(f"{left + x * across:.1f},{bottom - y * up:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_WIDTH - 180, _TOP + 12 + place * 20, label, colour=colour))
    return _whole(title, unit, parts, height=height)


def _text(x: float, y: float, told: str, *, anchor: str = "start", size: int = 13, colour: str = "#1a202c") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(told)}</text>'


def _whole(title: str, unit: str, parts: Sequence[str], *, height: int) -> str:
    head = [_text(16, 26, title, size=16), _text(16, 46, unit, colour="#4a5568")]
    background = f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    body = "\n".join((background, *head, *parts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif">\n{body}\n</svg>\n'
    )
