"""Lengths of time as people write them in a rule: ``90s``, ``15m``, ``1h``, ``7d``."""

import re
from datetime import timedelta

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=90)


def parse_duration(text: str) -> timedelta | None:
    """Read a duration; None where it is not written as one. The caller checks its range."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def show_duration(length: timedelta) -> str:
    """Write a duration in its two largest units, rounded down: ``2d 3h``, ``15m``, ``42s``."""
    seconds = int(length.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
