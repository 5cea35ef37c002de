"""The board's reads: agents with what is live, what is under way and what went wrong in each of their slots."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Agents with something live, and those whose first promotion is under way: as many of each as may be on the page.
_IS_WANTED = (
    "organization_id = :organization AND agent_id > :after "
    "AND (:part = '' OR position(lower(:part) IN lower(agent_id)) > 0) "
    "AND (cast(:agents AS text[]) IS NULL OR agent_id = ANY(:agents))"
)
_AGENTS = text(
    "SELECT agent_id FROM ("  # noqa: S608
    f"(SELECT DISTINCT agent_id FROM inventory.deployment WHERE {_IS_WANTED} AND status = 'active' AND NOT :moving "
    "ORDER BY agent_id LIMIT :limit) UNION "
    f"(SELECT DISTINCT agent_id FROM promotion.published_promotion WHERE {_IS_WANTED} "
    "AND status IN ('pending', 'approved') ORDER BY agent_id LIMIT :limit)) AS known "
    "ORDER BY agent_id LIMIT :limit"
)

_LIVE = text(
    "SELECT d.*, p.created_by AS requested_by FROM inventory.deployment d "
    "LEFT JOIN promotion.published_promotion p ON p.organization_id = d.organization_id "
    "AND p.promotion_id = d.promotion_id "
    "WHERE d.organization_id = :organization AND d.agent_id = ANY(:agents) AND d.status = 'active'"
)

_PROMOTION = (
    "promotion_id AS id, agent_id, target_gateway_id, target_environment, status, status_reason, status_message, "
    "deployment_version, required_approvers, approvals, created_by, created_at"
)

# Of several under way in one slot the newest; before its gateway is known a promotion stands for its environment.
_UNDER_WAY = text(
    f"SELECT DISTINCT ON (agent_id, target_environment, target_gateway_id) {_PROMOTION} "  # noqa: S608
    "FROM promotion.published_promotion WHERE organization_id = :organization AND agent_id = ANY(:agents) "
    "AND status IN ('pending', 'approved') "
    "ORDER BY agent_id, target_environment, target_gateway_id, created_at DESC"
)

# What ended last, where that was neither a success nor somebody's taking it back or a later one's overtaking it.
_TROUBLE = text(
    f"SELECT * FROM (SELECT DISTINCT ON (agent_id, target_environment, target_gateway_id) {_PROMOTION} "  # noqa: S608
    "FROM promotion.published_promotion WHERE organization_id = :organization AND agent_id = ANY(:agents) "
    "AND status IN ('completed', 'failed', 'rejected') AND status_reason NOT IN ('cancelled', 'superseded') "
    "ORDER BY agent_id, target_environment, target_gateway_id, created_at DESC) AS ended "
    "WHERE status IN ('failed', 'rejected')"
)


async def agents(
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
    rows = await connection.execute(
        _AGENTS,
        {
            "organization": organization_id,
            "part": part,
            "agents": None if only is None else list(only),
            "moving": moving,
            "after": after,
            "limit": limit,
        },
    )
    return list(rows.scalars())


async def live(connection: AsyncConnection, organization_id: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Give what is live of these agents, with who asked for it."""
    return await _rows(connection, _LIVE, organization_id, names)


async def under_way(connection: AsyncConnection, organization_id: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Give the newest promotion under way of each slot of these agents."""
    return await _rows(connection, _UNDER_WAY, organization_id, names)


async def trouble(connection: AsyncConnection, organization_id: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Give the promotion that ended last of each slot, where it failed or was refused."""
    return await _rows(connection, _TROUBLE, organization_id, names)


async def _rows(
    connection: AsyncConnection, statement: Any, organization_id: str, names: Sequence[str]
) -> list[Mapping[str, Any]]:
    rows = await connection.execute(statement, {"organization": organization_id, "agents": list(names)})
    return [dict(row) for row in rows.mappings()]
