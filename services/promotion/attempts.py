"""How the executor fares, as it publishes it: what executes is shown as retrying once an attempt has failed.

Read when somebody looks, and never stored: the history has the transitions, the executor its attempts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import resources
from schemas.vocabulary import StatusReason
from services.promotion.domain.lifecycle import EXECUTING
from services.promotion.domain.promotion import Promotion
from services.promotion.present import promotion_resource

MOST_ERROR_CHARACTERS = 300
# An attempt failed, and it is not given up.
RETRYING = "x.status IN ('waiting', 'calling', 'looking_up') AND x.last_error IS NOT NULL"
_FIND = text(
    "SELECT x.promotion_id, x.attempts, x.next_attempt_at, x.last_error FROM executor.published_execution AS x "  # noqa: S608
    f"WHERE x.organization_id = :organization_id AND x.promotion_id = ANY(cast(:ids AS uuid[])) AND {RETRYING}"
)


@dataclass(frozen=True, slots=True)
class Attempts:
    """What was tried so far; ``next_at`` is None while the gateway is being called."""

    count: int
    next_at: datetime | None
    last_error: str

    def message(self) -> str:
        """Say it in a sentence."""
        error = self.last_error[:MOST_ERROR_CHARACTERS]
        if self.next_at is None:
            return f"Attempt {self.count} is under way; the one before it failed: {error}"
        next_at = self.next_at.astimezone(UTC).isoformat(timespec="seconds")
        return f"Attempt {self.count} failed: {error}. The next is at {next_at}."


async def present(connection: AsyncConnection, promotions: Sequence[Promotion]) -> list[resources.Promotion]:
    """Give the resources of one organization's ``promotions``, those that are tried again shown as retrying."""
    executing = [promotion for promotion in promotions if promotion.state == EXECUTING]
    attempts = await _load(connection, executing) if executing else {}
    return [_shown(promotion, attempts.get(promotion.request.id)) for promotion in promotions]


async def _load(connection: AsyncConnection, executing: Sequence[Promotion]) -> Mapping[UUID, Attempts]:
    rows = await connection.execute(
        _FIND,
        {
            "organization_id": executing[0].request.organization_id,
            "ids": [promotion.request.id for promotion in executing],
        },
    )
    return {row.promotion_id: Attempts(row.attempts, row.next_attempt_at, row.last_error) for row in rows}


def _shown(promotion: Promotion, attempts: Attempts | None) -> resources.Promotion:
    resource = promotion_resource(promotion)
    if attempts is None:
        return resource
    return resource.model_copy(update={"status_reason": StatusReason.RETRYING, "status_message": attempts.message()})
