"""What the trigger asked for, once for each deployment and target, and what waits for its turn."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.auto_promotion import AutoPromotion, Key

_COLUMNS = (
    "organization_id, deployment_id, target_environment, promotion_id, agent_id, target_gateway_id, rule_id, "
    "rule_version, requested_at, by_rule_change"
)
_KEYS = (
    "unnest(cast(:organizations AS text[]), cast(:ids AS text[]), cast(:targets AS text[])) "
    "AS i(organization_id, deployment_id, target_environment)"
)
_INSERT = text(
    f"INSERT INTO rules.auto_promotion ({_COLUMNS}, due_at, attempts) "  # noqa: S608
    "SELECT i.*, cast(:due_at AS timestamptz), 0 FROM unnest("
    "cast(:organizations AS text[]), cast(:ids AS text[]), cast(:targets AS text[]), cast(:promotions AS uuid[]), "
    "cast(:agents AS text[]), cast(:gateways AS text[]), cast(:rules AS uuid[]), cast(:versions AS int[]), "
    "cast(:instants AS timestamptz[]), cast(:changes AS boolean[])) AS i ON CONFLICT DO NOTHING "
    "RETURNING organization_id, deployment_id, target_environment"
)
_REQUESTED = text(
    f"SELECT a.organization_id, a.deployment_id, a.target_environment FROM {_KEYS} "  # noqa: S608
    "JOIN rules.auto_promotion a USING (organization_id, deployment_id, target_environment)"
)
_BY_PROMOTION = text(
    f"SELECT {_COLUMNS} FROM rules.auto_promotion WHERE (organization_id, promotion_id) IN (SELECT * FROM unnest("  # noqa: S608
    "cast(:organizations AS text[]), cast(:promotions AS uuid[])))"
)
_DUE = text(
    f"SELECT {', '.join('a.' + name for name in _COLUMNS.split(', '))}, a.attempts, "  # noqa: S608
    "EXISTS (SELECT FROM rules.request r WHERE r.organization_id = a.organization_id "
    "AND r.promotion_id = a.promotion_id) AS arrived FROM (SELECT * FROM rules.auto_promotion "
    "WHERE due_at <= :now ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED) a"
)
_SET_DUE = text(
    "UPDATE rules.auto_promotion a SET due_at = i.due_at, attempts = a.attempts + 1 FROM unnest("
    "cast(:organizations AS text[]), cast(:promotions AS uuid[]), cast(:due AS timestamptz[])) "
    "AS i(organization_id, promotion_id, due_at) "
    "WHERE a.organization_id = i.organization_id AND a.promotion_id = i.promotion_id"
)
# One at a time asks how much of an organization's measure is left.
_MEASURE_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('rules measure'), hashtext(:organization_id))")
_MEASURED = text(
    "SELECT count(*) FROM rules.auto_promotion WHERE organization_id = :organization_id AND by_rule_change "
    "AND requested_at > :since"
)
_QUEUE = text(
    "INSERT INTO rules.queued_promotion (organization_id, deployment_id, target_environment, rule_id, rule_version, "
    "queued_at) SELECT i.*, cast(:now AS timestamptz) FROM unnest(cast(:organizations AS text[]), "
    "cast(:ids AS text[]), cast(:targets AS text[]), cast(:rules AS uuid[]), cast(:versions AS int[])) AS i "
    "ON CONFLICT DO NOTHING"
)
_UNQUEUE = text(
    f"DELETE FROM rules.queued_promotion q USING {_KEYS} WHERE q.organization_id = i.organization_id "  # noqa: S608
    "AND q.deployment_id = i.deployment_id AND q.target_environment = i.target_environment"
)
_QUEUED = text(
    "SELECT q.organization_id, q.deployment_id, q.target_environment FROM unnest(cast(:organizations AS text[]), "
    "cast(:ids AS text[])) AS i(organization_id, deployment_id) "
    "JOIN rules.queued_promotion q USING (organization_id, deployment_id)"
)
_POSITION = text(
    "SELECT (SELECT count(*) FROM rules.queued_promotion b WHERE b.organization_id = q.organization_id "
    "AND (b.queued_at, b.deployment_id) <= (q.queued_at, q.deployment_id)) AS position, q.queued_at "
    "FROM rules.queued_promotion q WHERE q.organization_id = :organization_id AND q.deployment_id = :deployment_id"
)
_QUEUE_LENGTH = text("SELECT count(*) FROM rules.queued_promotion WHERE organization_id = :organization_id")


async def insert_auto_promotions(
    connection: AsyncConnection, promotions: Sequence[AutoPromotion], *, due_at: datetime
) -> list[AutoPromotion]:
    """Keep what is asked for; give those that had not been asked for before."""
    if not promotions:
        return []
    ordered = sorted(promotions, key=lambda each: each.key)
    rows = await connection.execute(
        _INSERT,
        {
            "due_at": due_at,
            **_key_arrays([each.key for each in ordered]),
            "promotions": [each.promotion_id for each in ordered],
            "agents": [each.agent_id for each in ordered],
            "gateways": [each.target_gateway_id for each in ordered],
            "rules": [each.rule_id for each in ordered],
            "versions": [each.rule_version for each in ordered],
            "instants": [each.requested_at for each in ordered],
            "changes": [each.by_rule_change for each in ordered],
        },
    )
    new = {(row.organization_id, row.deployment_id, row.target_environment) for row in rows}
    return [each for each in ordered if each.key in new]


async def already_requested(connection: AsyncConnection, keys: Collection[Key]) -> set[Key]:
    """Give those of ``keys`` that a rule asked for before."""
    if not keys:
        return set()
    rows = await connection.execute(_REQUESTED, _key_arrays(sorted(keys)))
    return {(row.organization_id, row.deployment_id, row.target_environment) for row in rows}


async def auto_promotions_by_id(
    connection: AsyncConnection, keys: Collection[tuple[str, UUID]]
) -> dict[tuple[str, UUID], AutoPromotion]:
    """Give what was asked for by (organization, promotion)."""
    if not keys:
        return {}
    rows = await connection.execute(
        _BY_PROMOTION, {"organizations": [key[0] for key in keys], "promotions": [key[1] for key in keys]}
    )
    found = [_auto_promotion(row) for row in rows]
    return {(each.organization_id, each.promotion_id): each for each in found}


async def lock_unarrived(
    connection: AsyncConnection, *, now: datetime, limit: int
) -> list[tuple[AutoPromotion, int, bool]]:
    """Lock what is due to be sent again; give each with its attempts and whether it has arrived after all."""
    rows = await connection.execute(_DUE, {"now": now, "limit": limit})
    return [(_auto_promotion(row), row.attempts, row.arrived) for row in rows]


async def set_due(connection: AsyncConnection, due: Sequence[tuple[AutoPromotion, datetime | None]]) -> None:
    """Set when each is looked at again; None for never."""
    if due:
        await connection.execute(
            _SET_DUE,
            {
                "organizations": [each.organization_id for each, _ in due],
                "promotions": [each.promotion_id for each, _ in due],
                "due": [instant for _, instant in due],
            },
        )


async def measured(connection: AsyncConnection, organization_id: str, *, since: datetime) -> int:
    """Lock an organization's measure until the transaction ends; tell how much was used ``since`` then."""
    await connection.execute(_MEASURE_LOCK, {"organization_id": organization_id})
    result = await connection.execute(_MEASURED, {"organization_id": organization_id, "since": since})
    return int(result.scalar_one())


async def queue(connection: AsyncConnection, waiting: Sequence[tuple[Key, UUID, int]], *, now: datetime) -> None:
    """Put (key, rule, rule version) in the queue; one that is there keeps its place."""
    if waiting:
        await connection.execute(
            _QUEUE,
            {
                "now": now,
                **_key_arrays([key for key, _, _ in waiting]),
                "rules": [rule_id for _, rule_id, _ in waiting],
                "versions": [version for _, _, version in waiting],
            },
        )


async def unqueue(connection: AsyncConnection, keys: Collection[Key]) -> None:
    """Take what need not wait any more out of the queue."""
    if keys:
        await connection.execute(_UNQUEUE, _key_arrays(sorted(keys)))


async def queued(connection: AsyncConnection, deployments: Collection[tuple[str, str]]) -> set[Key]:
    """Give what waits for its turn of these deployments."""
    if not deployments:
        return set()
    ordered = sorted(deployments)
    rows = await connection.execute(
        _QUEUED, {"organizations": [each[0] for each in ordered], "ids": [each[1] for each in ordered]}
    )
    return {(row.organization_id, row.deployment_id, row.target_environment) for row in rows}


async def queue_length(connection: AsyncConnection, organization_id: str) -> int:
    """Count an organization's deployments that wait for their turn."""
    result = await connection.execute(_QUEUE_LENGTH, {"organization_id": organization_id})
    return int(result.scalar_one())


async def queue_position(
    connection: AsyncConnection, organization_id: str, deployment_id: str
) -> tuple[int, datetime] | None:
    """Give a deployment's place in the queue, from 1, and since when; None where it does not wait."""
    result = await connection.execute(_POSITION, {"organization_id": organization_id, "deployment_id": deployment_id})
    row = result.first()
    return None if row is None else (row.position, row.queued_at)


def _key_arrays(keys: Sequence[Key]) -> dict[str, list[str]]:
    return {
        "organizations": [key[0] for key in keys],
        "ids": [key[1] for key in keys],
        "targets": [key[2] for key in keys],
    }


def _auto_promotion(row: Any) -> AutoPromotion:
    return AutoPromotion(
        organization_id=row.organization_id,
        deployment_id=row.deployment_id,
        target_environment=row.target_environment,
        promotion_id=row.promotion_id,
        agent_id=row.agent_id,
        target_gateway_id=row.target_gateway_id,
        rule_id=row.rule_id,
        rule_version=row.rule_version,
        requested_at=row.requested_at,
        by_rule_change=row.by_rule_change,
    )
