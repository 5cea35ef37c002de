"""Fetching why a promotion stands where it stands."""

from typing import Any

from studio.console.api import segment
from studio.console.visits import Visit
from studio.problems import NotFound

_NOTHING_YET: dict[str, Any] = {
    "summary": "", "now": None, "decided": None, "ways": [], "rules_changed": [], "execution": None,
}  # fmt: skip


async def explanation_of(visit: Visit, promotion_id: str) -> dict[str, Any]:
    """Give the explanation; an empty one where the rules have not heard of the promotion yet."""
    try:
        explanation: dict[str, Any] = await visit.api.get(f"/promotions/{segment(promotion_id)}/explain")
    except NotFound:
        return _NOTHING_YET
    return explanation
