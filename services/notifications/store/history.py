"""Changes as PostgreSQL has them, for what Kafka did not bring: how far each organization's history was looked at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import PromotionChanged
from schemas.vocabulary import PromotionStatus
from services.notifications.store.hooks import ACTIVE

# So many changes are looked at in one transaction, shared out among the organizations that listen.
AT_ONCE = 2000
MOST_OF_ONE = 500

# Links of an organization come to be in the order of their commits: none appears later before one that is seen.
_BEGIN = text(f"""
    INSERT INTO notifications.position AS p (organization_id, chain_seq)
    SELECT :organization_id, coalesce(max(chain_seq), 0) FROM promotion.published_history
    WHERE organization_id = :organization_id
    ON CONFLICT (organization_id) DO UPDATE SET chain_seq = excluded.chain_seq
    WHERE NOT EXISTS (SELECT FROM notifications.webhook AS h
        WHERE {ACTIVE} AND h.organization_id = excluded.organization_id)
""")  # noqa: S608 - constants

_LISTENING = f"""notifications.position AS p WHERE EXISTS (SELECT FROM notifications.webhook AS h
            WHERE {ACTIVE} AND h.organization_id = p.organization_id)"""

_COUNT = text(f"SELECT count(*) FROM {_LISTENING}")  # noqa: S608 - constants

# The limit stands in the statement: of one that it is not told the planner expects a tenth of the history.
_AHEAD = f"""
    WITH listening AS MATERIALIZED (
        SELECT p.organization_id, p.chain_seq FROM {_LISTENING}
        ORDER BY p.organization_id FOR UPDATE OF p SKIP LOCKED
    )
    SELECT h.*, p.agent_id, p.source_deployment_id, p.target_gateway_id, p.source_environment, p.target_environment,
        p.target_deployment_id
    FROM listening AS l CROSS JOIN LATERAL (
        SELECT * FROM promotion.published_history AS h
        WHERE h.organization_id = l.organization_id AND h.chain_seq > l.chain_seq
        ORDER BY h.chain_seq LIMIT %d) AS h
    JOIN promotion.published_promotion AS p
        ON p.organization_id = h.organization_id AND p.promotion_id = h.promotion_id
    ORDER BY h.organization_id, h.chain_seq
"""  # noqa: S608 - constants

_MOVE = text("""
    UPDATE notifications.position AS p SET chain_seq = i.chain_seq
    FROM unnest(cast(:organizations AS text[]), cast(:seqs AS bigint[])) AS i (organization_id, chain_seq)
    WHERE p.organization_id = i.organization_id
""")


async def begin_listening(connection: AsyncConnection, organization_id: str) -> None:
    """Look at an organization's history from here on, where no webhook of it listened until now."""
    await connection.execute(_BEGIN, {"organization_id": organization_id})


@dataclass(frozen=True, slots=True)
class Look:
    """Changes that were not looked at before, up to which link each organization is looked at with them, and whether
    some organization has more.
    """

    changes: Sequence[PromotionChanged]
    reached: Mapping[str, int]
    more: bool


async def ahead(connection: AsyncConnection, *, before: datetime) -> Look:
    """Look at each organization's next changes, up to the first that is not older than ``before``.

    Nobody else looks until the transaction ends.
    """
    listening = int(await connection.scalar(_COUNT) or 0)
    of_each = max(1, min(MOST_OF_ONE, AT_ONCE // max(1, listening)))
    changes: list[PromotionChanged] = []
    reached: dict[str, int] = {}
    taken: Counter[str] = Counter()
    fresh: set[str] = set()
    for row in (await connection.execute(text(_AHEAD % of_each))).mappings():
        organization_id = row["organization_id"]
        if organization_id in fresh or row["at"] >= before:
            fresh.add(organization_id)
            continue
        changes.append(_change(row))
        taken[organization_id] += 1
        reached[organization_id] = row["chain_seq"]
    return Look(changes, reached, more=any(count >= of_each for count in taken.values()))


async def move(connection: AsyncConnection, reached: Mapping[str, int]) -> None:
    """Note up to which link each organization is looked at."""
    if reached:
        await connection.execute(_MOVE, {"organizations": list(reached), "seqs": list(reached.values())})


def _change(row: Mapping[Any, Any]) -> PromotionChanged:
    completed = row["status"] == PromotionStatus.COMPLETED
    return PromotionChanged.model_validate(
        {**row, "target_deployment_id": row["target_deployment_id"] if completed else None}
    )
