"""Everything known of a deployment, put together as the facts that rules are evaluated on."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.rules.domain.facts import Fact, Facts, RunEvent, TestSummary, summarise_runs
from services.rules.domain.surroundings import Deployment

_INVENTORY = "/inventory"


def facts_of(
    deployment: Deployment | None,
    observed: Mapping[str, Fact],
    runs: Iterable[RunEvent],
    *,
    active_since: datetime | None,
    baselines: Mapping[str, Facts] | None = None,
) -> Facts:
    """Give the facts of one deployment from what was ``observed`` of it and its test runs."""
    return facts_with(deployment, observed, summarise_runs(runs), active_since=active_since, baselines=baselines)


def facts_with(
    deployment: Deployment | None,
    observed: Mapping[str, Fact],
    tests: TestSummary,
    *,
    active_since: datetime | None,
    baselines: Mapping[str, Facts] | None = None,
) -> Facts:
    """Give the same where the runs are put together already."""
    values = {**_identity(deployment), **observed, **tests.facts}
    return Facts(values, active_since=active_since, states=tests.states, baselines=baselines or {})


def active_since(deployment: Deployment, at: datetime | None = None) -> datetime | None:
    """Give the start of the active period that lasts now, or lasted ``at`` an instant in the past."""
    if at is None:
        return deployment.active_since
    started = deployment.active_since or (deployment.deployed_at if deployment.retired_at else None)
    if started is None or started > at or (deployment.retired_at is not None and deployment.retired_at <= at):
        return None
    return started


def _identity(deployment: Deployment | None) -> dict[str, Fact]:
    """Give what inventory knows, for a deployment whose own announcement was not seen here."""
    if deployment is None:
        return {}
    return {
        "deployment.version": Fact(deployment.version, deployment.deployed_at, _INVENTORY),
        "deployment.environment": Fact(deployment.environment, deployment.deployed_at, _INVENTORY),
    }
