"""What runs where, as far as an evaluation needs to know it: deployments, gateways, the order of environments."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import TypeAlias

from schemas.values import dataclass
from schemas.vocabulary import DEFAULT_ENVIRONMENTS, DeploymentStatus

# By organization and id.
DeploymentKey: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One version of an agent on one gateway."""

    organization_id: str
    deployment_id: str
    agent_id: str
    gateway_id: str
    environment: str
    version: str
    digest: str | None
    status: DeploymentStatus
    deployed_at: datetime
    active_since: datetime | None
    retired_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Tell whether it is the live one of its slot."""
        return self.status is DeploymentStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Gateway:
    """A place where agents run."""

    gateway_id: str
    environment: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All of it, by organization: ``known`` by (organization, deployment), ``of_agent`` by (organization, agent)."""

    known: Mapping[DeploymentKey, tuple[Deployment, ...]] = field(default_factory=dict)
    of_agent: Mapping[tuple[str, str], tuple[Deployment, ...]] = field(default_factory=dict)
    gateways: Mapping[str, tuple[Gateway, ...]] = field(default_factory=dict)
    environments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def deployment(self, organization_id: str, deployment_id: str) -> Deployment | None:
        """Give the deployment of that id; of several on different gateways an active, then the newest one."""
        found = self.known.get((organization_id, deployment_id), ())
        return max(found, key=lambda each: (each.is_active, each.deployed_at, each.gateway_id), default=None)

    def running(self, organization_id: str, agent_id: str, environment: str) -> tuple[Deployment, ...]:
        """Give the active deployments of an agent in an environment."""
        found = self.of_agent.get((organization_id, agent_id), ())
        return tuple(each for each in found if each.is_active and each.environment == environment)

    def gateways_in(self, organization_id: str, environment: str) -> tuple[Gateway, ...]:
        """Give the gateways of an environment."""
        return tuple(each for each in self.gateways.get(organization_id, ()) if each.environment == environment)

    def gateway(self, organization_id: str, gateway_id: str) -> Gateway | None:
        """Give one gateway."""
        found = (each for each in self.gateways.get(organization_id, ()) if each.gateway_id == gateway_id)
        return next(found, None)

    def order(self, organization_id: str) -> tuple[str, ...]:
        """Give the environments of an organization in the order in which deployments move."""
        return self.environments.get(organization_id, DEFAULT_ENVIRONMENTS)

    def next_environment(self, organization_id: str, environment: str) -> str | None:
        """Give the environment after ``environment``, or None at the end and for an unknown one."""
        order = self.order(organization_id)
        if environment not in order[:-1]:
            return None
        return order[order.index(environment) + 1]
