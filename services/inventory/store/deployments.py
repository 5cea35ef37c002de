"""The deployments of inventory: bulk loads and saves for announcements, and the reads behind the API."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import DeploymentOutcome, DeploymentStatus
from services.inventory.domain.deployments import Announcement, Deployment

_COLUMNS = tuple(field.name for field in fields(Deployment))
_ARRAYS = {
    "deployed_at": "timestamptz", "succeeded_at": "timestamptz", "failed_at": "timestamptz",
    "removed_at": "timestamptz", "active_since": "timestamptz", "retired_at": "timestamptz", "promotion_id": "uuid",
}  # fmt: skip
_KEY = ("organization_id", "gateway_id", "deployment_id")


def _columns(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _COLUMNS)


# The organizations' rows are taken in order, so that two batches never wait for one another in a circle.
_NUMBER = text(
    "INSERT INTO inventory.last_change AS known (organization_id, changed_at) "
    "SELECT organization_id, clock_timestamp() FROM unnest(cast(:ids AS text[])) AS organization_id ORDER BY 1 "
    "ON CONFLICT (organization_id) DO UPDATE "
    "SET changed_at = greatest(clock_timestamp(), known.changed_at + interval '1 microsecond') "
    "RETURNING organization_id, changed_at"
)

_ANNOUNCED = text(
    f"SELECT {_columns('d')} FROM unnest(cast(:organizations AS text[]), cast(:gateways AS text[]), "  # noqa: S608
    "cast(:ids AS text[])) AS a (organization_id, gateway_id, deployment_id) "
    "JOIN inventory.deployment d USING (organization_id, gateway_id, deployment_id)"
)

_IN_SLOT = (
    "SELECT n.* FROM inventory.deployment n WHERE n.organization_id = a.organization_id AND n.agent_id = a.agent_id "
    "AND n.gateway_id = a.gateway_id AND n.succeeded_at IS NOT NULL AND n.deployment_id <> a.deployment_id "
    "AND (n.succeeded_at, n.deployment_id) {side} (a.at, a.deployment_id) "
    "ORDER BY n.succeeded_at {order}, n.deployment_id {order} LIMIT 1"
)
_NEIGHBOURS = text(
    f"SELECT DISTINCT {_columns('d')} FROM unnest(cast(:organizations AS text[]), "  # noqa: S608
    "cast(:agents AS text[]), cast(:gateways AS text[]), cast(:ids AS text[]), cast(:moments AS timestamptz[])) "
    "AS a (organization_id, agent_id, gateway_id, deployment_id, at) CROSS JOIN LATERAL "
    f"(({_IN_SLOT.format(side='<', order='DESC')}) UNION ALL ({_IN_SLOT.format(side='>', order='ASC')})) AS d"
)

_UNNESTED = ", ".join(f"cast(:{name} AS {_ARRAYS.get(name, 'text')}[])" for name in _COLUMNS)
_SAVE = text(
    f"INSERT INTO inventory.deployment ({', '.join(_COLUMNS)}, changed_at) "  # noqa: S608
    f"SELECT * FROM unnest({_UNNESTED}, cast(:changed_at AS timestamptz[])) "
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_COLUMNS, "changed_at") if name not in _KEY)
)


async def number_change(connection: AsyncConnection, organizations: Collection[str]) -> dict[str, datetime]:
    """Take the turn of each of ``organizations`` until the transaction ends; give the instants of their changes."""
    rows = await connection.execute(_NUMBER, {"ids": sorted(organizations)})
    return {row.organization_id: row.changed_at for row in rows}


async def load(connection: AsyncConnection, announcements: Sequence[Announcement]) -> list[Deployment]:
    """Load the announced deployments that are known, and their neighbours in the slot.

    Neighbours are those on both sides of each announced success, and of each known success of what is announced.
    """
    announced = await connection.execute(
        _ANNOUNCED,
        {
            "organizations": [announcement.organization_id for announcement in announcements],
            "gateways": [announcement.gateway_id for announcement in announcements],
            "ids": [announcement.deployment_id for announcement in announcements],
        },
    )
    known = [_deployment(row) for row in announced]
    places: list[tuple[Announcement | Deployment, datetime]] = [
        (item, item.at) for item in announcements if item.outcome is DeploymentOutcome.SUCCEEDED
    ]
    places += [(item, item.succeeded_at) for item in known if item.succeeded_at is not None]
    neighbours = await connection.execute(
        _NEIGHBOURS,
        {
            "organizations": [item.organization_id for item, _ in places],
            "agents": [item.agent_id for item, _ in places],
            "gateways": [item.gateway_id for item, _ in places],
            "ids": [item.deployment_id for item, _ in places],
            "moments": [at for _, at in places],
        },
    )
    found = {deployment.key: deployment for deployment in [*known, *map(_deployment, neighbours)]}
    return list(found.values())


async def save(
    connection: AsyncConnection, deployments: Sequence[Deployment], *, changed_at: dict[str, datetime]
) -> None:
    """Write ``deployments`` whole; those that are not active first, for a slot never has two that are."""
    active = [item for item in deployments if item.status is DeploymentStatus.ACTIVE]
    others = [item for item in deployments if item.status is not DeploymentStatus.ACTIVE]
    for group in (others, active):
        if group:
            values: dict[str, Any] = {name: [getattr(item, name) for item in group] for name in _COLUMNS}
            values["changed_at"] = [changed_at[item.organization_id] for item in group]
            await connection.execute(_SAVE, values)


def _deployment(row: Any) -> Deployment:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["status"] = DeploymentStatus(row.status)
    return Deployment(**values)


_SHOWN = f"SELECT {_columns('d')} FROM inventory.deployment d WHERE d.organization_id = :organization_id "  # noqa: S608
_FILTERS = ("agent_id", "environment", "gateway_id", "status")


async def page(
    connection: AsyncConnection,
    *,
    organization_id: str,
    filters: dict[str, str],
    before: tuple[datetime, str, str] | None,
    limit: int,
) -> list[Deployment]:
    """List an organization's deployments, newest first; ``filters`` are of agent, environment, gateway and status.

    ``before`` is (deployed_at, deployment_id, gateway_id) of the last one shown.
    """
    conditions = "".join(f"AND d.{name} = :{name} " for name in _FILTERS if name in filters)
    values: dict[str, Any] = {**filters, "organization_id": organization_id, "limit": limit}
    if before is not None:
        conditions += "AND (d.deployed_at, d.deployment_id, d.gateway_id) < (:at, :id, :gateway) "
        values |= {"at": before[0], "id": before[1], "gateway": before[2]}
    order = "ORDER BY d.deployed_at DESC, d.deployment_id DESC, d.gateway_id DESC LIMIT :limit"
    return [_deployment(row) for row in await connection.execute(text(_SHOWN + conditions + order), values)]


async def one(
    connection: AsyncConnection, *, organization_id: str, deployment_id: str, gateway_id: str | None
) -> Deployment | None:
    """Find a deployment; of several gateways' the active one, then the newest."""
    rows = await connection.execute(
        text(
            _SHOWN + "AND d.deployment_id = :id AND (cast(:gateway AS text) IS NULL OR d.gateway_id = :gateway) "
            "ORDER BY (d.status = 'active') DESC, d.deployed_at DESC, d.gateway_id LIMIT 1"
        ),
        {"organization_id": organization_id, "id": deployment_id, "gateway": gateway_id},
    )
    row = rows.first()
    return None if row is None else _deployment(row)


async def count_active(connection: AsyncConnection, *, organization_id: str, gateway_id: str) -> int:
    """Count the deployments that are live on a gateway."""
    result = await connection.execute(
        text(
            "SELECT count(*) FROM inventory.deployment WHERE organization_id = :organization_id "
            "AND gateway_id = :gateway_id AND status = 'active'"
        ),
        {"organization_id": organization_id, "gateway_id": gateway_id},
    )
    return int(result.scalar_one())
