"""One agent: what ran in each environment, newest first, and where what is live could go next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.platform.identity import Principal
from studio.console.views.moments import moment, span
from studio.console.views.permissions import why_not_promote
from studio.console.views.words import Standing

Json = Mapping[str, Any]

_STANDINGS: Mapping[str, Standing] = {
    "active": Standing("Live", "✓", "good"),
    "retired": Standing("Replaced", "–", "off"),
    "removed": Standing("Removed", "–", "off"),
    "failed": Standing("Failed", "✗", "bad"),
}


@dataclass(frozen=True, slots=True)
class Ran:
    """One deployment; ``for_how_long`` is empty where it still runs or never did."""

    deployment: Json
    standing: Standing
    for_how_long: str


@dataclass(frozen=True, slots=True)
class Place:
    """One environment's history; ``following`` is where its live deployment can be promoted to."""

    environment: str
    ran: Sequence[Ran]
    live: Json | None
    following: str | None
    why_not: str | None


def places(principal: Principal, deployments: Sequence[Json], environments: Sequence[str]) -> list[Place]:
    """Give the environments in their order."""
    return [
        _place(principal, deployments, environment, following)
        for environment, following in zip(environments, (*environments[1:], None), strict=True)
    ]


def _place(principal: Principal, deployments: Sequence[Json], environment: str, following: str | None) -> Place:
    here = [deployment for deployment in deployments if deployment["environment"] == environment]
    return Place(
        environment=environment,
        ran=[_ran(deployment) for deployment in here],
        live=next((deployment for deployment in here if deployment["status"] == "active"), None),
        following=following,
        why_not=None if following is None else why_not_promote(principal, following),
    )


def _ran(deployment: Json) -> Ran:
    status = deployment["status"]
    ended = deployment["retired_at"]
    lasted = span(moment(ended) - moment(deployment["deployed_at"])) if ended else ""
    return Ran(deployment, _STANDINGS.get(status, Standing(status, "–", "off")), lasted)
