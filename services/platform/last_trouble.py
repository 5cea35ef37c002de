"""The last warning or error that this process logged for each service: constant words only, nothing that it was about.

Several organizations may read it, so that neither ids nor messages of exceptions go in.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.platform.clock import utc_now

_LEVELS = frozenset({"warning", "warn", "error", "exception", "critical"})
_last: dict[str, "Trouble"] = {}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was logged, and when."""

    said: str
    at: datetime


def remember(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Note a line of the log on its way, as a structlog processor."""
    service = event.get("service")
    if method in _LEVELS and isinstance(service, str):
        _last[service] = Trouble(_said(event), utc_now())
    return event


def last_of(service: str) -> Trouble | None:
    """Give the last trouble of a service of this process."""
    return _last.get(service)


def _said(event: MutableMapping[str, Any]) -> str:
    place = event.get("loop") or event.get("topic")
    kind = str(event.get("error", "")).partition(":")[0]
    parts = [str(event.get("event", ""))]
    parts += [str(place)] if place else []
    parts += [kind] if kind.isidentifier() else []
    return ": ".join(parts)[:200]
