"""What the promotion service publishes of promotions; read, never written."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Origin, PromotionStatus, StatusReason
from services.rules.domain.promotion import Promotion

_COLUMNS = (
    "p.organization_id, p.promotion_id, p.agent_id, p.source_deployment_id, p.source_environment, "
    "p.target_gateway_id, p.target_environment, p.deployment_version, p.digest, p.origin, p.status, "
    "p.status_reason, p.status_message, p.evaluation_number, p.required_approvers, p.approvals, "
    "p.rejected_by_person, p.created_by, p.created_at, p.completed_at"
)
_BY_ID = text(
    f"SELECT {_COLUMNS} FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[])) AS i(organization_id, id) "  # noqa: S608
    "JOIN promotion.published_promotion p ON p.organization_id = i.organization_id AND p.promotion_id = i.id"
)
_OF_AGENTS = text(
    f"SELECT {_COLUMNS} FROM unnest(cast(:organizations AS text[]), cast(:agents AS text[]), "  # noqa: S608
    "cast(:targets AS text[])) AS i(organization_id, agent_id, target_environment) "
    "JOIN promotion.published_promotion p USING (organization_id, agent_id, target_environment)"
)


async def promotions_by_id(
    connection: AsyncConnection, keys: Collection[tuple[str, UUID]]
) -> dict[tuple[str, UUID], Promotion]:
    """Give the promotions of these (organization, id)."""
    if not keys:
        return {}
    rows = await connection.execute(
        _BY_ID, {"organizations": [key[0] for key in keys], "ids": [key[1] for key in keys]}
    )
    return {(row.organization_id, row.promotion_id): promotion_of(row) for row in rows}


async def promotions_of_agents(
    connection: AsyncConnection, keys: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], list[Promotion]]:
    """Give the promotions of these (organization, agent, target environment)."""
    if not keys:
        return {}
    ordered = sorted(keys)
    rows = await connection.execute(
        _OF_AGENTS,
        {
            "organizations": [key[0] for key in ordered],
            "agents": [key[1] for key in ordered],
            "targets": [key[2] for key in ordered],
        },
    )
    found: dict[tuple[str, str, str], list[Promotion]] = {}
    for row in rows:
        promotion = promotion_of(row)
        key = (promotion.organization_id, promotion.agent_id, promotion.target_environment)
        found.setdefault(key, []).append(promotion)
    return found


def promotion_of(row: Any) -> Promotion:
    """Read a row with every column of the view."""
    values = dict(row._mapping)
    values["origin"] = Origin(row.origin)
    values["status"] = PromotionStatus(row.status)
    values["status_reason"] = StatusReason(row.status_reason)
    return Promotion(**values)
