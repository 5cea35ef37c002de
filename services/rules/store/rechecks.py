"""Deployments to be looked at again: why, when, and by one worker at a time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.looks import Cause, Recheck
from services.rules.domain.surroundings import DeploymentKey

_INSERT = text(
    "INSERT INTO rules.recheck (organization_id, deployment_id, cause, due_at, attempts, gateway_id, deployed_at, "
    "fields) "
    "SELECT * FROM unnest(cast(:organizations AS text[]), cast(:ids AS text[]), cast(:causes AS text[]), "
    "cast(:due AS timestamptz[]), cast(:attempts AS int[]), cast(:gateways AS text[]), "
    "cast(:deployed AS timestamptz[]), cast(:fields AS text[]))"
)
_DUE = text(
    "SELECT id, organization_id, deployment_id, cause, due_at, attempts, gateway_id, deployed_at, fields "
    "FROM rules.recheck "
    "WHERE due_at <= :now ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_DUE_BY_CLOCK = text(
    "SELECT organization_id, deployment_id FROM rules.watch WHERE next_check_at <= :now "
    "ORDER BY next_check_at LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_KNOW = text(
    "INSERT INTO rules.watch (organization_id, deployment_id) SELECT * FROM unnest("
    "cast(:organizations AS text[]), cast(:ids AS text[])) AS i(o, d) ORDER BY o, d ON CONFLICT DO NOTHING"
)
_LOCK = text(
    "SELECT w.organization_id, w.deployment_id FROM unnest(cast(:organizations AS text[]), cast(:ids AS text[])) "
    "AS i(organization_id, deployment_id) JOIN rules.watch w USING (organization_id, deployment_id) "
    "ORDER BY 1, 2 FOR UPDATE OF w SKIP LOCKED"
)
_TAKE = text("DELETE FROM rules.recheck WHERE id = ANY(cast(:ids AS bigint[]))")
_SCHEDULE = text(
    "UPDATE rules.watch w SET next_check_at = i.next_check_at FROM unnest(cast(:organizations AS text[]), "
    "cast(:ids AS text[]), cast(:instants AS timestamptz[])) AS i(organization_id, deployment_id, next_check_at) "
    "WHERE w.organization_id = i.organization_id AND w.deployment_id = i.deployment_id "
    "AND w.next_check_at IS DISTINCT FROM i.next_check_at"
)
_HASTEN = text(
    "UPDATE rules.watch w SET next_check_at = least(w.next_check_at, i.next_check_at) FROM unnest("
    "cast(:organizations AS text[]), cast(:ids AS text[]), cast(:instants AS timestamptz[])) "
    "AS i(organization_id, deployment_id, next_check_at) "
    "WHERE w.organization_id = i.organization_id AND w.deployment_id = i.deployment_id "
    "AND (w.next_check_at IS NULL OR i.next_check_at < w.next_check_at)"
)
_AFTER_RULE_CHANGE = text(
    "INSERT INTO rules.recheck (organization_id, deployment_id, cause, due_at, attempts) "
    "SELECT organization_id, deployment_id, 'rule', cast(:now AS timestamptz) + (n - 1) * interval '0.5 ms', 0 FROM ("
    "SELECT organization_id, deployment_id, row_number() OVER () AS n FROM inventory.published_deployment "
    "WHERE organization_id = :organization_id AND environment = :environment AND status = 'active') d"
)
_NEXT = text(
    "SELECT least((SELECT min(due_at) FROM rules.recheck), "
    "(SELECT min(next_check_at) FROM rules.watch WHERE next_check_at IS NOT NULL))"
)


async def add_rechecks(connection: AsyncConnection, rechecks: Sequence[Recheck]) -> None:
    """Ask for deployments to be looked at; never waits for another worker."""
    if rechecks:
        await connection.execute(
            _INSERT,
            {
                "organizations": [each.organization_id for each in rechecks],
                "ids": [each.deployment_id for each in rechecks],
                "causes": [str(each.cause) for each in rechecks],
                "due": [each.due_at for each in rechecks],
                "attempts": [each.attempts for each in rechecks],
                "gateways": [each.gateway_id for each in rechecks],
                "deployed": [each.deployed_at for each in rechecks],
                "fields": [None if each.fields is None else " ".join(sorted(each.fields)) for each in rechecks],
            },
        )


async def lock_due_rechecks(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Recheck]:
    """Lock and give the rechecks that are due, of deployments that no other worker looks at now.

    A deployment whose time has come by the clock is among them, with the cause ``clock`` and no id.
    """
    rows = await connection.execute(_DUE, {"now": now, "limit": limit})
    due = [_recheck(row) for row in rows]
    clock = await connection.execute(_DUE_BY_CLOCK, {"now": now, "limit": limit})
    due += [Recheck(row.organization_id, row.deployment_id, Cause.CLOCK, now) for row in clock]
    if not due:
        return []
    mine = await _lock_deployments(connection, {each.key for each in due})
    return [each for each in due if each.key in mine]


async def take(connection: AsyncConnection, rechecks: Sequence[Recheck]) -> None:
    """Remove rechecks that were carried out."""
    ids = [each.id for each in rechecks if each.id is not None]
    if ids:
        await connection.execute(_TAKE, {"ids": ids})


async def schedule(connection: AsyncConnection, instants: Mapping[DeploymentKey, datetime | None]) -> None:
    """Set when the clock alone is the next reason to look at locked deployments; None for never."""
    if instants:
        await connection.execute(_SCHEDULE, _instants(instants))


async def hasten(connection: AsyncConnection, instants: Mapping[DeploymentKey, datetime]) -> None:
    """Look at locked deployments by the clock no later than given."""
    if instants:
        await connection.execute(_HASTEN, _instants(instants))


async def recheck_environment(
    connection: AsyncConnection, organization_id: str, environment: str, *, now: datetime
) -> None:
    """Ask for every active deployment of an environment to be looked at, because a rule changed.

    They are due one after the other, so that what else happens finds its place among them.
    """
    await connection.execute(
        _AFTER_RULE_CHANGE, {"organization_id": organization_id, "environment": environment, "now": now}
    )


async def next_due(connection: AsyncConnection) -> datetime | None:
    """Give the instant at which something is due next, past or future."""
    instant: datetime | None = await connection.scalar(_NEXT)
    return instant


async def _lock_deployments(connection: AsyncConnection, keys: Collection[DeploymentKey]) -> set[DeploymentKey]:
    ordered = sorted(keys)
    arrays = {"organizations": [key[0] for key in ordered], "ids": [key[1] for key in ordered]}
    await connection.execute(_KNOW, arrays)
    rows = await connection.execute(_LOCK, arrays)
    return {(row.organization_id, row.deployment_id) for row in rows}


def _instants(instants: Mapping[DeploymentKey, datetime | None]) -> dict[str, list[Any]]:
    ordered = sorted(instants)
    return {
        "organizations": [key[0] for key in ordered],
        "ids": [key[1] for key in ordered],
        "instants": [instants[key] for key in ordered],
    }


def _recheck(row: Any) -> Recheck:
    return Recheck(
        organization_id=row.organization_id,
        deployment_id=row.deployment_id,
        cause=Cause(row.cause),
        due_at=row.due_at,
        attempts=row.attempts,
        gateway_id=row.gateway_id,
        deployed_at=row.deployed_at,
        fields=None if row.fields is None else frozenset(row.fields.split()),
        id=row.id,
    )
