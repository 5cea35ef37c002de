"""What inventory publishes around requests: read for a whole batch at once, through its views alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import DEFAULT_ENVIRONMENTS
from services.promotion.domain.eligibility import Asked, KnownDeployment, KnownGateway, Surroundings

_DEPLOYMENTS = text(
    "SELECT d.organization_id, d.deployment_id, d.agent_id, d.gateway_id, d.environment, d.version, d.digest, d.status "
    "FROM (SELECT DISTINCT * FROM unnest(cast(:organizations AS text[]), cast(:deployments AS text[]))) "
    "AS w(organization_id, deployment_id) JOIN inventory.published_deployment AS d "
    "USING (organization_id, deployment_id)"
)
_AGENT_GATEWAYS = text(
    "SELECT w.organization_id, w.agent_id, w.environment, d.gateway_id FROM (SELECT DISTINCT * FROM unnest("
    "cast(:organizations AS text[]), cast(:agents AS text[]), cast(:environments AS text[]))) "
    "AS w(organization_id, agent_id, environment) JOIN inventory.published_deployment AS d "
    "USING (organization_id, agent_id, environment) WHERE d.status = 'active'"
)
_GATEWAYS = text(
    "SELECT g.organization_id, g.gateway_id, g.environment, g.is_default FROM inventory.published_gateway AS g "
    "WHERE EXISTS (SELECT FROM unnest(cast(:organizations AS text[]), cast(:gateways AS text[]), "
    "cast(:environments AS text[])) AS w(organization_id, gateway_id, environment) "
    "WHERE w.organization_id = g.organization_id AND g.gateway_id = w.gateway_id "
    "OR w.organization_id = g.organization_id AND w.gateway_id IS NULL AND g.environment = w.environment)"
)
_ENVIRONMENTS = text(
    "SELECT organization_id, names FROM inventory.published_environments WHERE organization_id = ANY(:organizations)"
)


@dataclass(slots=True)
class _Known:
    deployments: dict[tuple[str, str], list[KnownDeployment]] = field(default_factory=lambda: defaultdict(list))
    gateways: dict[str, dict[str, KnownGateway]] = field(default_factory=lambda: defaultdict(dict))
    agent_gateways: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    environments: dict[str, tuple[str, ...]] = field(default_factory=dict)


async def around(connection: AsyncConnection, requests: Sequence[tuple[str, Asked]]) -> list[Surroundings]:
    """Read what surrounds each of ``requests``, which are pairs of organization and what is asked."""
    known = await _read(connection, requests)
    return [
        Surroundings(
            deployments=known.deployments[organization, asked.source_deployment_id],
            gateways=known.gateways[organization],
            agent_gateways=known.agent_gateways[organization, asked.agent_id, asked.target_environment],
            environments=known.environments.get(organization, DEFAULT_ENVIRONMENTS),
        )
        for organization, asked in requests
    ]


async def _read(connection: AsyncConnection, requests: Sequence[tuple[str, Asked]]) -> _Known:
    known = _Known()
    parameters: dict[str, Any] = {
        "organizations": [organization for organization, _ in requests],
        "deployments": [asked.source_deployment_id for _, asked in requests],
        "gateways": [asked.target_gateway_id for _, asked in requests],
        "agents": [asked.agent_id for _, asked in requests],
        "environments": [asked.target_environment for _, asked in requests],
    }

    async def rows(statement: Any, *names: str) -> Any:
        return await connection.execute(statement, {name: parameters[name] for name in names})

    for organization, *columns in await rows(_DEPLOYMENTS, "organizations", "deployments"):
        deployment = KnownDeployment(*columns)
        known.deployments[organization, deployment.deployment_id].append(deployment)
    for organization, *columns in await rows(_GATEWAYS, "organizations", "gateways", "environments"):
        gateway = KnownGateway(*columns)
        known.gateways[organization][gateway.gateway_id] = gateway
    if any(asked.target_gateway_id is None for _, asked in requests):
        for *place, gateway_id in await rows(_AGENT_GATEWAYS, "organizations", "agents", "environments"):
            known.agent_gateways[place[0], place[1], place[2]].append(gateway_id)
    for organization, names in await rows(_ENVIRONMENTS, "organizations"):
        known.environments[organization] = tuple(names)
    return known
