"""Points and lengths of time as people say them."""

from datetime import UTC, datetime, timedelta

_UNITS = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"))


def moment(written: str | datetime) -> datetime:
    """Read an instant as the API writes it."""
    return written if isinstance(written, datetime) else datetime.fromisoformat(written)


def span(length: timedelta | float) -> str:
    """Say how long something took: its largest unit, with the next one where that still matters."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)} ms"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s".replace(".0 ", " ")
    for (size, name), (smaller, smaller_name) in zip(_UNITS, (*_UNITS[1:], (1, "s")), strict=True):
        if seconds >= size:
            whole = int(seconds // size)
            rest = int(seconds % size // smaller)
            return f"{whole} {name} {rest} {smaller_name}" if whole < 3 and rest else f"{whole} {name}"
    return f"{seconds:.0f} s"


def ago(written: str | datetime, now: datetime) -> str:
    """Say how long ago, or in how long, something is."""
    seconds = (now - moment(written)).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    return f"{_rough(seconds)} ago" if seconds > 0 else f"in {_rough(-seconds)}"


def exact(written: str | datetime) -> str:
    """Write an instant to the second, in UTC."""
    return moment(written).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _rough(seconds: float) -> str:
    for size, name in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} s"
