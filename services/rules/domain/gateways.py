"""Which gateway a promotion goes to where nobody named one. Never a guess: what is ambiguous stays unanswered."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Resolved:
    """The gateway to deploy on."""

    gateway_id: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """No gateway can be named; the message says why and what would change it."""

    message: str


def resolve_gateway(
    *,
    organization_id: str,
    agent_id: str,
    environment: str,
    asked: str | None,
    rules: Iterable[Rule],
    surroundings: Surroundings,
) -> Resolved | Unresolved:
    """Give the asked gateway, else the rules', else where the agent runs, else the only or default one."""
    if asked is not None:
        return _checked(organization_id, asked, environment, surroundings)
    named = sorted({rule.target_gateway_id for rule in rules if rule.target_gateway_id is not None})
    if len(named) > 1:
        return Unresolved(f"the rules name different gateways ({', '.join(named)}); name target_gateway_id")
    if named:
        return _checked(organization_id, named[0], environment, surroundings)
    registered = surroundings.gateways_in(organization_id, environment)
    hosts = {each.gateway_id for each in surroundings.running(organization_id, agent_id, environment)}
    hosts &= {each.gateway_id for each in registered}
    if len(hosts) == 1:
        return Resolved(hosts.pop())
    if not registered:
        return Unresolved(f"environment {environment} has no gateway; register one")
    if len(registered) == 1:
        return Resolved(registered[0].gateway_id)
    defaults = [each.gateway_id for each in registered if each.is_default]
    if len(defaults) == 1 and not hosts:
        return Resolved(defaults[0])
    return Unresolved(_ambiguous(environment, agent_id, sorted(hosts), [each.gateway_id for each in registered]))


def _checked(
    organization_id: str, gateway_id: str, environment: str, surroundings: Surroundings
) -> Resolved | Unresolved:
    gateway = surroundings.gateway(organization_id, gateway_id)
    if gateway is None:
        return Unresolved(f"gateway {gateway_id} is not registered; register it or name another")
    if gateway.environment != environment:
        return Unresolved(
            f"gateway {gateway_id} belongs to {gateway.environment}, not to {environment}; "
            f"name a gateway of {environment}"
        )
    return Resolved(gateway_id)


def _ambiguous(environment: str, agent_id: str, hosts: list[str], registered: list[str]) -> str:
    if hosts:
        where = f"{agent_id} runs on several gateways of {environment} ({', '.join(hosts)})"
    else:
        where = f"{environment} has several gateways ({', '.join(sorted(registered))}) and none is the default"
    return f"the gateway is ambiguous: {where}; name target_gateway_id in the request or in a rule"
