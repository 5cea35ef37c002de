"""What the promotion service publishes of promotions; read, never written."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Origin, PromotionStatus, StatusReason

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
_ENDED = frozenset({PromotionStatus.COMPLETED, PromotionStatus.FAILED, PromotionStatus.REJECTED})
_BEGUN = frozenset({StatusReason.EXECUTING, StatusReason.RETRYING})


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion as it is published."""

    organization_id: str
    promotion_id: UUID
    agent_id: str
    source_deployment_id: str
    source_environment: str | None
    target_gateway_id: str | None
    target_environment: str
    deployment_version: str | None
    digest: str | None
    origin: Origin
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str
    evaluation_number: int | None
    required_approvers: int | None
    approvals: int
    rejected_by_person: bool
    created_by: str
    created_at: datetime
    completed_at: datetime | None

    @property
    def is_settled(self) -> bool:
        """Tell whether no evaluation can move it any more: it ended, or began to execute."""
        return self.status in _ENDED or self.status_reason in _BEGUN


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


def promotion_of(row: Any) -> Promotion:
    """Read a row with every column of the view."""
    values = dict(row._mapping)
    values["origin"] = Origin(row.origin)
    values["status"] = PromotionStatus(row.status)
    values["status_reason"] = StatusReason(row.status_reason)
    return Promotion(**values)
