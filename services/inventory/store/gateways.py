"""The gateways of inventory; every write first takes the organization's turn."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway as it is stored; ``credential`` never leaves for a caller."""

    organization_id: str
    gateway_id: str
    name: str
    environment: str
    url: str
    credential: str | None
    is_default: bool
    max_concurrency: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


_NAMES = (
    "organization_id", "gateway_id", "name", "environment", "url", "credential", "is_default", "max_concurrency",
    "created_at", "created_by", "updated_at", "updated_by",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_NAMES)} FROM inventory.gateway WHERE organization_id = :organization_id "  # noqa: S608
_INSERT = text(
    f"INSERT INTO inventory.gateway ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)}) "  # noqa: S608
    "ON CONFLICT (organization_id, gateway_id) DO NOTHING RETURNING gateway_id"
)
_REPLACE = text(
    "UPDATE inventory.gateway SET "  # noqa: S608
    + ", ".join(f"{name} = :{name}" for name in _NAMES if name not in {"organization_id", "gateway_id"})
    + " WHERE organization_id = :organization_id AND gateway_id = :gateway_id"
)


async def take_turn(connection: AsyncConnection, organization_id: str) -> None:
    """Wait until no other transaction changes the organization's gateways or environments; they are few and rare."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"inventory {organization_id}"}
    )


async def one(connection: AsyncConnection, *, organization_id: str, gateway_id: str) -> GatewayRow | None:
    """Find a gateway."""
    result = await connection.execute(
        text(_SELECT + "AND gateway_id = :gateway_id"), {"organization_id": organization_id, "gateway_id": gateway_id}
    )
    row = result.first()
    return None if row is None else _gateway(row)


async def page(
    connection: AsyncConnection, *, organization_id: str, environment: str | None, after: str, limit: int
) -> list[GatewayRow]:
    """List an organization's gateways by id."""
    rows = await connection.execute(
        text(
            _SELECT + "AND gateway_id > :after AND (cast(:environment AS text) IS NULL OR environment = :environment) "
            "ORDER BY gateway_id LIMIT :limit"
        ),
        {"organization_id": organization_id, "environment": environment, "after": after, "limit": limit},
    )
    return [_gateway(row) for row in rows]


async def insert(connection: AsyncConnection, gateway: GatewayRow) -> bool:
    """Add ``gateway`` unless its id is taken; tell whether it was added."""
    await _yield_default(connection, gateway)
    result = await connection.execute(_INSERT, _values(gateway))
    return result.first() is not None


async def replace(connection: AsyncConnection, gateway: GatewayRow) -> None:
    """Write ``gateway`` over the one of its id."""
    await _yield_default(connection, gateway)
    await connection.execute(_REPLACE, _values(gateway))


async def delete(connection: AsyncConnection, *, organization_id: str, gateway_id: str) -> None:
    """Forget a gateway."""
    await connection.execute(
        text("DELETE FROM inventory.gateway WHERE organization_id = :organization_id AND gateway_id = :gateway_id"),
        {"organization_id": organization_id, "gateway_id": gateway_id},
    )


async def executing_on(connection: AsyncConnection, *, organization_id: str, gateway_id: str) -> list[str]:
    """Name the promotions that execute on a gateway now."""
    rows = await connection.execute(
        text(
            "SELECT promotion_id::text AS id FROM promotion.published_promotion "
            "WHERE organization_id = :organization_id AND target_gateway_id = :gateway_id "
            "AND status = 'approved' AND status_reason IN ('executing', 'retrying') ORDER BY created_at, promotion_id"
        ),
        {"organization_id": organization_id, "gateway_id": gateway_id},
    )
    return [row.id for row in rows]


async def environments_in_use(connection: AsyncConnection, organization_id: str) -> set[str]:
    """Name the environments that have gateways."""
    rows = await connection.execute(
        text("SELECT DISTINCT environment FROM inventory.gateway WHERE organization_id = :organization_id"),
        {"organization_id": organization_id},
    )
    return {row.environment for row in rows}


async def _yield_default(connection: AsyncConnection, gateway: GatewayRow) -> None:
    if gateway.is_default:
        await connection.execute(
            text(
                "UPDATE inventory.gateway SET is_default = false WHERE organization_id = :organization_id "
                "AND environment = :environment AND gateway_id <> :gateway_id AND is_default"
            ),
            {
                "organization_id": gateway.organization_id,
                "environment": gateway.environment,
                "gateway_id": gateway.gateway_id,
            },
        )


def _gateway(row: Any) -> GatewayRow:
    return GatewayRow(**{name: getattr(row, name) for name in _NAMES})


def _values(gateway: GatewayRow) -> dict[str, Any]:
    return {name: getattr(gateway, name) for name in _NAMES}
