"""Which agents there are, in the order of their names: the pages of the board, by name and by parts of names."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Where so many of the next names hold too few that have a part, the names of all agents are looked through by rows of
# many; where more than so many have it, one after another again, for then a page is soon full where they lie apart.
NEXT_NAMES, MOST_SOUGHT = 2_000, 20_000

_HAS_PART = "position(lower(:part) IN lower({name})) > 0"
_IS_WANTED = (
    f"organization_id = :organization AND agent_id > :after AND (:part = '' OR {_HAS_PART.format(name='agent_id')}) "
    "AND (cast(:agents AS text[]) IS NULL OR agent_id = ANY(:agents))"
)
# Agents with something live, and those whose first promotion is under way: as many of each as may be on the page.
_UNDER_WAY = (
    f"SELECT DISTINCT agent_id FROM promotion.published_promotion WHERE {_IS_WANTED} "  # noqa: S608
    "AND status IN ('pending', 'approved') ORDER BY agent_id LIMIT :limit"
)
_IN_ORDER = text(
    "SELECT agent_id FROM ("  # noqa: S608
    f"(SELECT DISTINCT agent_id FROM inventory.deployment WHERE {_IS_WANTED} AND status = 'active' AND NOT :moving "
    f"ORDER BY agent_id LIMIT :limit) UNION ({_UNDER_WAY})) AS known ORDER BY agent_id LIMIT :limit"
)
_SUFFICE = text(
    f"SELECT count(*) < {NEXT_NAMES} "  # noqa: S608
    f"OR count(DISTINCT agent_id) FILTER (WHERE {_HAS_PART.format(name='agent_id')}) >= :limit "
    "FROM (SELECT agent_id FROM inventory.deployment WHERE organization_id = :organization AND agent_id > :after "
    f"AND status = 'active' ORDER BY agent_id LIMIT {NEXT_NAMES}) AS following"
)
# Not more agents are looked up than are shown: OFFSET keeps that from becoming a join of all of them.
_SOUGHT = text(
    "WITH sought AS MATERIALIZED (SELECT name AS agent_id FROM inventory.agent_names AS a "  # noqa: S608
    "CROSS JOIN LATERAL string_to_table(a.names, E'\\n') AS name WHERE a.organization_id = :organization "
    "AND CASE WHEN a.pairs & (SELECT inventory.pairs(:part)) = (SELECT inventory.pairs(:part)) "
    "THEN position(lower(:part) IN coalesce(a.lowered, a.names)) > 0 ELSE false END "
    f"AND {_HAS_PART.format(name='name')} AND name > :after LIMIT {MOST_SOUGHT}) "
    f"SELECT (SELECT count(*) < {MOST_SOUGHT} FROM sought) AS are_all, ARRAY(SELECT agent_id FROM ("
    "(SELECT agent_id FROM (SELECT DISTINCT agent_id FROM sought ORDER BY agent_id OFFSET 0) AS named "
    "WHERE EXISTS (SELECT FROM inventory.deployment AS d WHERE d.organization_id = :organization "
    "AND d.agent_id = named.agent_id AND d.status = 'active' OFFSET 0) LIMIT :limit) "
    f"UNION ({_UNDER_WAY})) AS known ORDER BY agent_id LIMIT :limit) AS agents"
)


async def page(
    connection: AsyncConnection,
    organization_id: str,
    *,
    part: str,
    only: Sequence[str] | None,
    moving: bool,
    after: str,
    limit: int,
) -> list[str]:
    """Name the agents after ``after`` that the filter lets through, in order."""
    values: dict[str, Any] = {"organization": organization_id, "part": part, "after": after, "limit": limit}
    values["agents"] = None if only is None else list(only)
    if part and only is None and not moving and not await connection.scalar(_SUFFICE, values):
        found = (await connection.execute(_SOUGHT, values)).one()
        if found.are_all:
            return list(found.agents)
    return list((await connection.execute(_IN_ORDER, {**values, "moving": moving})).scalars())
