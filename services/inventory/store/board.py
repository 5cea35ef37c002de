"""The board's reads: agents with what is live, what is under way and what went wrong in each of their slots."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

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
