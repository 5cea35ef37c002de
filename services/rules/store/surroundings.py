"""What the other services publish of deployments, gateways, environments and promotions; read in bulk."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import DeploymentStatus
from services.rules.domain.surroundings import Deployment, Gateway, Surroundings

_COLUMNS = (
    "d.organization_id, d.deployment_id, d.agent_id, d.gateway_id, d.environment, d.version, d.digest, d.status, "
    "d.deployed_at, d.active_since, d.retired_at"
)
# Each key is looked up by itself, whatever the planner thinks of the size of the table; OFFSET 0 keeps it from joining.
_KEYS = "unnest(cast(:organizations AS text[]), cast(:ids AS text[])) AS i(organization_id, id)"
_KNOWN = text(
    f"SELECT {_COLUMNS} FROM {_KEYS} CROSS JOIN LATERAL (SELECT * FROM inventory.published_deployment p "  # noqa: S608
    "WHERE p.organization_id = i.organization_id AND p.deployment_id = i.id OFFSET 0) AS d"
)
_RUNNING = text(
    f"SELECT {_COLUMNS} FROM {_KEYS} CROSS JOIN LATERAL (SELECT * FROM inventory.published_deployment p "  # noqa: S608
    "WHERE p.organization_id = i.organization_id AND p.agent_id = i.id AND p.status = 'active' OFFSET 0) AS d"
)
# What ran in the same slot before it; a deployment that failed never ran.
_PREVIOUS = text(
    f"SELECT i.id AS before, {_COLUMNS} FROM unnest(cast(:organizations AS text[]), cast(:ids AS text[]), "  # noqa: S608
    "cast(:agents AS text[]), cast(:gateways AS text[]), cast(:instants AS timestamptz[])) "
    "AS i(organization_id, id, agent_id, gateway_id, deployed_at) CROSS JOIN LATERAL (SELECT * "
    "FROM inventory.published_deployment p WHERE p.organization_id = i.organization_id AND p.agent_id = i.agent_id "
    "AND p.gateway_id = i.gateway_id AND p.deployed_at < i.deployed_at AND p.status <> 'failed' "
    "ORDER BY p.deployed_at DESC LIMIT 1) d"
)
_PAST = text(
    f"SELECT {_COLUMNS} FROM inventory.published_deployment d WHERE d.organization_id = :organization_id "  # noqa: S608
    "AND d.environment = :environment AND d.status IN ('active', 'retired') "
    "AND (d.retired_at IS NULL OR d.retired_at > :since) ORDER BY d.deployed_at DESC, d.deployment_id LIMIT :limit"
)
_GATEWAYS = text(
    "SELECT organization_id, gateway_id, environment, is_default FROM inventory.published_gateway "
    "WHERE organization_id = ANY(cast(:organizations AS text[]))"
)
_ENVIRONMENTS = text(
    "SELECT organization_id, names FROM inventory.published_environments "
    "WHERE organization_id = ANY(cast(:organizations AS text[]))"
)


async def load_surroundings(
    connection: AsyncConnection, deployments: Collection[tuple[str, str]], agents: Collection[tuple[str, str]] = ()
) -> Surroundings:
    """Load the deployments by (organization, deployment), what else their agents and ``agents`` run, and where.

    ``agents`` are (organization, agent).
    """
    organizations = {organization_id for organization_id, _ in (*deployments, *agents)}
    known = await load_known(connection, deployments, organizations)
    return await with_company(connection, known, organizations, agents)


async def load_known(
    connection: AsyncConnection, deployments: Collection[tuple[str, str]], organizations: Collection[str]
) -> Surroundings:
    """Load these deployments alone, and the order of environments."""
    known = await _deployments(connection, _KNOWN, deployments)
    return Surroundings(
        known=_grouped(known, "deployment_id"), environments=await load_environments(connection, organizations)
    )


async def with_company(
    connection: AsyncConnection,
    known: Surroundings,
    organizations: Collection[str],
    agents: Collection[tuple[str, str]] = (),
) -> Surroundings:
    """Add what else the agents of ``known`` and ``agents`` run, and the gateways."""
    wanted = {(each.organization_id, each.agent_id) for found in known.known.values() for each in found} | set(agents)
    running = await _deployments(connection, _RUNNING, wanted)
    return replace(
        known, of_agent=_grouped(running, "agent_id"), gateways=await load_gateways(connection, organizations)
    )


async def load_previous(
    connection: AsyncConnection, deployments: Collection[Deployment]
) -> dict[tuple[str, str], Deployment]:
    """Give, by (organization, deployment), what ran in the slot of each before it."""
    if not deployments:
        return {}
    rows = await connection.execute(
        _PREVIOUS,
        {
            "organizations": [each.organization_id for each in deployments],
            "ids": [each.deployment_id for each in deployments],
            "agents": [each.agent_id for each in deployments],
            "gateways": [each.gateway_id for each in deployments],
            "instants": [each.deployed_at for each in deployments],
        },
    )
    return {(row.organization_id, row.before): _deployment(row) for row in rows}


async def load_past_deployments(
    connection: AsyncConnection, organization_id: str, environment: str, *, since: datetime, limit: int
) -> list[Deployment]:
    """Give what ran in an environment at any time ``since`` then, newest first."""
    rows = await connection.execute(
        _PAST,
        {"organization_id": organization_id, "environment": environment, "since": since, "limit": limit},
    )
    return [_deployment(row) for row in rows]


async def load_gateways(connection: AsyncConnection, organizations: Collection[str]) -> dict[str, tuple[Gateway, ...]]:
    """Give the gateways of each organization."""
    rows = await connection.execute(_GATEWAYS, {"organizations": sorted(organizations)})
    found: dict[str, list[Gateway]] = {}
    for row in rows:
        gateway = Gateway(row.gateway_id, row.environment, row.is_default)
        found.setdefault(row.organization_id, []).append(gateway)
    return {organization_id: tuple(gateways) for organization_id, gateways in found.items()}


async def load_environments(connection: AsyncConnection, organizations: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Give the order of environments of each organization that replaced the default."""
    rows = await connection.execute(_ENVIRONMENTS, {"organizations": sorted(organizations)})
    return {row.organization_id: tuple(row.names) for row in rows}


async def _deployments(
    connection: AsyncConnection, statement: Any, keys: Collection[tuple[str, str]]
) -> list[Deployment]:
    if not keys:
        return []
    ordered = sorted(keys)
    rows = await connection.execute(
        statement, {"organizations": [each[0] for each in ordered], "ids": [each[1] for each in ordered]}
    )
    return [_deployment(row) for row in rows]


def _deployment(row: Any) -> Deployment:
    return Deployment(
        organization_id=row.organization_id,
        deployment_id=row.deployment_id,
        agent_id=row.agent_id,
        gateway_id=row.gateway_id,
        environment=row.environment,
        version=row.version,
        digest=row.digest,
        status=DeploymentStatus(row.status),
        deployed_at=row.deployed_at,
        active_since=row.active_since,
        retired_at=row.retired_at,
    )


def _grouped(deployments: list[Deployment], name: str) -> dict[tuple[str, str], tuple[Deployment, ...]]:
    found: dict[tuple[str, str], list[Deployment]] = {}
    for each in deployments:
        found.setdefault((each.organization_id, getattr(each, name)), []).append(each)
    return {key: tuple(members) for key, members in found.items()}
