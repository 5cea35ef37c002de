"""Orders that arrive: kept once each, and only where the promotion itself says that it is executing."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from services.executor.domain.announcement import Finished
from services.executor.domain.execution import FINISHED, Order
from services.executor.store.rows import FINISHED_COLUMNS, columns, to_finished


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order with the moment at which its promotion began to execute, which orders those of one slot."""

    order: Order
    executing_at: datetime


# An approval is what PostgreSQL says it is: a record on Kafka alone executes nothing.
_INSERT = text("""
    INSERT INTO executor.execution (organization_id, promotion_id, agent_id, gateway_id, environment,
        source_deployment_id, version, digest, executing_at, caused_by, traceparent,
        received_at, deadline_at, give_up_at, status, due_at)
    SELECT i.*, :now, :deadline_at, :give_up_at, 'waiting', :now
    FROM unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[]), cast(:agents AS text[]),
        cast(:gateways AS text[]), cast(:environments AS text[]), cast(:sources AS text[]), cast(:versions AS text[]),
        cast(:digests AS text[]), cast(:executing_at AS timestamptz[]), cast(:causes AS text[]),
        cast(:traceparents AS text[]))
        AS i (organization_id, promotion_id, agent_id, gateway_id, environment, source_deployment_id, version, digest,
              executing_at, caused_by, traceparent)
    JOIN promotion.published_promotion AS p
        ON p.organization_id = i.organization_id AND p.promotion_id = i.promotion_id
    WHERE p.status = 'approved' AND p.status_reason IN ('executing', 'retrying')
        AND (p.agent_id, p.target_gateway_id, p.target_environment, p.source_deployment_id, p.deployment_version)
            = (i.agent_id, i.gateway_id, i.environment, i.source_deployment_id, i.version)
        AND p.digest IS NOT DISTINCT FROM i.digest
    ON CONFLICT (organization_id, promotion_id) DO NOTHING
    RETURNING organization_id, promotion_id
""")

_KNOWN = text(f"""
    SELECT {columns(FINISHED_COLUMNS, alias="e")}
    FROM unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[])) AS i (organization_id, promotion_id)
    JOIN executor.execution AS e USING (organization_id, promotion_id)
""")  # noqa: S608 - the columns are constants


async def insert(
    connection: AsyncConnection,
    arrivals: Sequence[Arrival],
    *,
    now: datetime,
    deadline_at: datetime,
    give_up_at: datetime,
) -> set[tuple[str, UUID]]:
    """Keep those of ``arrivals`` that are new and whose promotion is executing just this; name them."""
    orders = [arrival.order for arrival in arrivals]
    rows = await connection.execute(
        _INSERT,
        {
            "organizations": [order.organization_id for order in orders],
            "promotions": [order.promotion_id for order in orders],
            "agents": [order.agent_id for order in orders],
            "gateways": [order.gateway_id for order in orders],
            "environments": [order.environment for order in orders],
            "sources": [order.source_deployment_id for order in orders],
            "versions": [order.version for order in orders],
            "digests": [order.digest for order in orders],
            "executing_at": [arrival.executing_at for arrival in arrivals],
            "causes": [order.caused_by for order in orders],
            "traceparents": [order.traceparent for order in orders],
            "now": now,
            "deadline_at": deadline_at,
            "give_up_at": give_up_at,
        },
    )
    return {(row.organization_id, row.promotion_id) for row in rows}


@dataclass(frozen=True, slots=True)
class Known:
    """Of some orders, those that were kept before, and what came of the finished ones."""

    keys: frozenset[tuple[str, UUID]]
    finished: tuple[Finished, ...]


async def find_known(connection: AsyncConnection, keys: Sequence[tuple[str, UUID]]) -> Known:
    """Look up which of ``keys`` are kept already."""
    rows = (
        await connection.execute(
            _KNOWN, {"organizations": [key[0] for key in keys], "promotions": [key[1] for key in keys]}
        )
    ).all()
    finished = tuple(to_finished(row) for row in rows if row.status in FINISHED)
    return Known(frozenset((row.organization_id, row.promotion_id) for row in rows), finished)
