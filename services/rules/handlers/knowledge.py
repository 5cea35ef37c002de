"""Loads what is known of deployments, and of those that rules compare them with, as facts."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.facts import Facts
from services.rules.domain.knowledge import active_since, facts_of
from services.rules.domain.surroundings import Deployment, DeploymentKey, Surroundings
from services.rules.store.facts import load_facts, load_runs
from services.rules.store.surroundings import load_previous

TARGET_CURRENT, PREVIOUS = "target_current", "previous"


async def load_knowledge(
    connection: AsyncConnection,
    deployments: Collection[Deployment],
    surroundings: Surroundings,
    *,
    with_baselines: bool,
    at: datetime | None = None,
) -> dict[DeploymentKey, Facts]:
    """Give the facts of ``deployments``, as they are or as they were ``at`` an instant in the past.

    ``with_baselines`` adds the facts of the deployments that conditions may compare with.
    """
    compared = await _compared(connection, deployments, surroundings) if with_baselines else {}
    everyone = [*deployments, *(other for others in compared.values() for other in others.values())]
    keys = {_key(each) for each in everyone}
    observed = await load_facts(connection, keys, at=at)
    runs = await load_runs(connection, keys, at=at)

    def known(each: Deployment, baselines: Mapping[str, Facts]) -> Facts:
        key = _key(each)
        return facts_of(each, observed[key], runs[key], active_since=active_since(each, at), baselines=baselines)

    return {
        _key(each): known(each, {name: known(other, {}) for name, other in compared.get(_key(each), {}).items()})
        for each in deployments
    }


async def _compared(
    connection: AsyncConnection, deployments: Collection[Deployment], surroundings: Surroundings
) -> dict[DeploymentKey, dict[str, Deployment]]:
    previous = await load_previous(connection, deployments)
    compared: dict[DeploymentKey, dict[str, Deployment]] = {}
    for each in deployments:
        others = compared.setdefault(_key(each), {})
        target = surroundings.next_environment(each.organization_id, each.environment)
        running = () if target is None else surroundings.running(each.organization_id, each.agent_id, target)
        if running:
            others[TARGET_CURRENT] = max(running, key=lambda other: (other.deployed_at, other.gateway_id))
        if _key(each) in previous:
            others[PREVIOUS] = previous[_key(each)]
    return compared


def _key(deployment: Deployment) -> DeploymentKey:
    return deployment.organization_id, deployment.deployment_id
