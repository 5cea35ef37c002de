"""Cursors of lists: opaque to callers, a JSON array of the last row's sort key to us.

A cursor carries no organization and no filter: every query scopes by the caller's own.
"""

import base64
import json
from datetime import datetime
from typing import Any

from schemas.moments import in_utc
from schemas.text import plain_text
from services.platform.http.problems import invalid

MAX_CURSOR_CHARACTERS = 1000
_MAX_INTEGER = 2**63 - 1

CursorPart = str | int | datetime


def write_cursor(*key: CursorPart) -> str:
    """Write the sort key of the last row shown."""
    parts = [part.isoformat() if isinstance(part, datetime) else part for part in key]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type[CursorPart]) -> tuple[Any, ...]:
    """Read a cursor whose parts are of ``kinds``; raises a 422 for one that was not written here."""
    try:
        if len(cursor) > MAX_CURSOR_CHARACTERS:
            raise ValueError
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError
        return tuple(_part(part, kind) for part, kind in zip(parts, kinds, strict=True))
    except (ValueError, RecursionError):
        raise invalid(
            "query:/cursor",
            "invalid_cursor",
            "is not a cursor of this list",
            "pass next_cursor as you received it",
        ) from None


def _part(part: object, kind: type[CursorPart]) -> CursorPart:
    if kind is int and type(part) is int and abs(part) <= _MAX_INTEGER:
        return part
    if kind is str and isinstance(part, str):
        return plain_text(part)
    if kind is datetime and isinstance(part, str):
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is not None:
            return in_utc(moment)
    raise ValueError
