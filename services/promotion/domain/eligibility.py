"""Whether a request can be promoted at all, and where to: a question to what runs where, answered with every fault.

Pure. Over HTTP a missing gateway is found here and now, from inventory alone; a rule's own gateway counts for requests
that reach the rules without one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants promoted, and where to."""

    agent_id: str
    source_deployment_id: str
    target_gateway_id: str | None
    target_environment: str


@dataclass(frozen=True, slots=True)
class KnownDeployment:
    """A deployment as inventory shows it."""

    deployment_id: str
    agent_id: str
    gateway_id: str
    environment: str
    version: str
    digest: str | None
    status: str

    @property
    def active(self) -> bool:
        """Tell whether it is the live one of its slot."""
        return self.status == "active"


@dataclass(frozen=True, slots=True)
class KnownGateway:
    """A gateway as inventory shows it."""

    gateway_id: str
    environment: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around one request: ``agent_gateways`` are those of the target environment where the agent runs."""

    deployments: Sequence[KnownDeployment]
    gateways: Mapping[str, KnownGateway]
    agent_gateways: Sequence[str]
    environments: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the field, a stable code, what is wrong, what to do."""

    field: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Eligible:
    """The request can be promoted: from here, to there, this version."""

    source_environment: str
    target_gateway_id: str
    deployment_version: str
    digest: str | None


def examine(asked: Asked, around: Surroundings) -> Eligible | list[Fault]:
    """Examine a request; give where it goes, or everything that is wrong with it."""
    source = _source(asked, around)
    faults: list[Fault] = []
    if isinstance(source, Fault):
        faults.append(source)
    else:
        faults += _source_faults(asked, source)
        faults += _hop_faults(asked, source, around.environments)
    gateway = _gateway(asked, around)
    # A target environment that does not exist has no gateways either; saying so twice helps nobody.
    known_target = asked.target_environment in around.environments or asked.target_gateway_id is not None
    if isinstance(gateway, Fault) and known_target:
        faults.append(gateway)
    if faults or isinstance(source, Fault) or isinstance(gateway, Fault):
        return faults
    return Eligible(source.environment, gateway, source.version, source.digest)


def _source(asked: Asked, around: Surroundings) -> KnownDeployment | Fault:
    if not around.deployments:
        return Fault(
            "source_deployment_id",
            "unknown_deployment",
            f"there is no deployment {asked.source_deployment_id!r}",
            "announce it with a deployment.completed event, or look at GET /deployments for its id",
        )

    def preference(deployment: KnownDeployment) -> tuple[bool, bool, bool, str]:
        # The same id may be known on several gateways: the one that can take this hop is meant.
        fits = _next_environment(deployment.environment, around.environments) == asked.target_environment
        return (not deployment.active, deployment.agent_id != asked.agent_id, not fits, deployment.gateway_id)

    return min(around.deployments, key=preference)


def _source_faults(asked: Asked, source: KnownDeployment) -> list[Fault]:
    faults = []
    if source.agent_id != asked.agent_id:
        faults.append(
            Fault(
                "agent_id",
                "wrong_agent",
                f"deployment {source.deployment_id!r} is one of agent {source.agent_id!r}, not of {asked.agent_id!r}",
                f"give {source.agent_id!r}, or another deployment",
            )
        )
    if not source.active:
        faults.append(
            Fault(
                "source_deployment_id",
                "deployment_not_active",
                f"deployment {source.deployment_id!r} is {source.status} in {source.environment}, not active",
                "promote the deployment that is active there",
            )
        )
    return faults


def _hop_faults(asked: Asked, source: KnownDeployment, environments: Sequence[str]) -> list[Fault]:
    target = asked.target_environment
    if target not in environments:
        return [_hop("unknown_environment", f"there is no environment {target!r}", f"use {', '.join(environments)}")]
    if source.environment not in environments:
        return [
            Fault(
                "source_deployment_id",
                "unknown_environment",
                f"its environment {source.environment!r} is not one of the organization's",
                f"the environments are {', '.join(environments)}; change them with PUT /environments",
            )
        ]
    distance = environments.index(target) - environments.index(source.environment)
    following = _next_environment(source.environment, environments)
    hint = f"promote it to {following}" if following else f"{source.environment} is the last environment"
    if distance == 0:
        return [_hop("same_environment", f"the deployment is in {target} already", hint)]
    if distance < 0:
        return [_hop("backward", f"{target} comes before {source.environment}, where the deployment is", hint)]
    if distance > 1:
        return [_hop("environment_skipped", f"{target} is {distance} steps after {source.environment}", hint)]
    return []


def _hop(code: str, message: str, hint: str) -> Fault:
    return Fault("target_environment", code, message, hint)


def _next_environment(environment: str, environments: Sequence[str]) -> str | None:
    if environment not in environments[:-1]:
        return None
    return environments[environments.index(environment) + 1]


def _gateway(asked: Asked, around: Surroundings) -> str | Fault:
    if asked.target_gateway_id is not None:
        return _named_gateway(asked.target_gateway_id, asked.target_environment, around)
    here = [gateway for gateway in around.gateways.values() if gateway.environment == asked.target_environment]
    for candidates in (
        [gateway.gateway_id for gateway in here if gateway.gateway_id in around.agent_gateways],
        [gateway.gateway_id for gateway in here],
        [gateway.gateway_id for gateway in here if gateway.is_default],
    ):
        if len(candidates) == 1:
            return candidates[0]
    if not here:
        return Fault(
            "target_gateway_id",
            "no_gateway",
            f"{asked.target_environment} has no gateway",
            "register one with POST /gateways",
        )
    names = ", ".join(sorted(gateway.gateway_id for gateway in here)[:10])
    return Fault(
        "target_gateway_id",
        "ambiguous_gateway",
        f"{asked.target_environment} has several gateways and none is the default: {names}",
        "name one, or make one the default",
    )


def _named_gateway(gateway_id: str, environment: str, around: Surroundings) -> str | Fault:
    gateway = around.gateways.get(gateway_id)
    if gateway is None:
        return Fault(
            "target_gateway_id",
            "unknown_gateway",
            f"there is no gateway {gateway_id!r}",
            "register it with POST /gateways, or look at GET /gateways for its id",
        )
    if gateway.environment != environment:
        return Fault(
            "target_gateway_id",
            "wrong_environment",
            f"gateway {gateway_id!r} belongs to {gateway.environment}, not to {environment}",
            f"name a gateway of {environment}, or leave it out",
        )
    return gateway_id
