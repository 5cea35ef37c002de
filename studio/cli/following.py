"""Follows a promotion and says each step on stderr as it happens, until it ends, waits for people, or time is over."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.cli import exits
from studio.cli.output import note, plain

if TYPE_CHECKING:
    from studio.client import PromotionClient

_LOOK_AGAIN_SECONDS = 0.25
_ENDED = {"completed": exits.OK, "rejected": exits.ENDED_REJECTED, "failed": exits.ENDED_FAILED}
_WAITS_FOR_PEOPLE = frozenset({"awaiting_approval", "conditions_unmet", "awaiting_execute"})


async def follow(
    client: "PromotionClient", promotion_id: str, *, timeout_seconds: float, through_waiting: bool
) -> tuple[dict[str, Any], int]:
    """Give the promotion as it stands in the end, and the exit status that says so.

    With ``through_waiting`` a promotion that waits for people is followed further.
    """
    deadline = time.monotonic() + timeout_seconds
    said = 0
    while True:
        promotion = await client.raw("GET", f"/promotions/{promotion_id}")
        if promotion["version"] > said:
            said = promotion["version"]
            note(progress_line(promotion))
        status = _status(promotion, through_waiting=through_waiting)
        if status is not None:
            return promotion, status
        if time.monotonic() >= deadline:
            note(f"still {promotion['status']} after {timeout_seconds:g} s; it goes on by itself")
            return promotion, exits.TIMED_OUT
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def progress_line(promotion: Mapping[str, Any]) -> str:
    """Say where a promotion stands, on one line."""
    return plain(f"{promotion['status']} ({promotion['status_reason']}): {promotion['status_message']}")


def _status(promotion: Mapping[str, Any], *, through_waiting: bool) -> int | None:
    if promotion["status"] in _ENDED:
        return _ENDED[promotion["status"]]
    if promotion["status_reason"] in _WAITS_FOR_PEOPLE and not through_waiting:
        return exits.WAITS
    return None
