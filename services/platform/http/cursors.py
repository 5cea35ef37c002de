"""Cursors of lists: opaque to callers, a JSON array of the last row's sort key to us.

A cursor carries no organization and no filter: every query scopes by the caller's own.
"""

import base64
import json
from typing import Any

from services.platform.http.problems import invalid

MAX_CURSOR_CHARACTERS = 500


def write_cursor(*key: str | int) -> str:
    """Write the sort key of the last row shown."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """Read a cursor whose parts are of ``kinds``; raises a 422 for one that was not written here."""
    try:
        if len(cursor) > MAX_CURSOR_CHARACTERS:
            raise ValueError
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
            raise ValueError
    except ValueError:
        raise invalid(
            "query:/cursor",
            "invalid_cursor",
            "is not a cursor of this list",
            "pass next_cursor as you received it",
        ) from None
    return tuple(key)
