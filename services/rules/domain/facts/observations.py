"""Events about metrics and deployments, turned into facts. Pure; what a fact is worth is decided when it is read."""

from collections.abc import Mapping
from datetime import datetime

from services.rules.domain.facts.fact import Fact


def metric_facts(
    metrics: Mapping[str, object], *, observed_at: datetime, source: str, event_id: str
) -> dict[str, Fact]:
    """Give one fact under ``metrics.`` for each metric of a ``metrics.observed`` event."""
    return {f"metrics.{name}": Fact(value, observed_at, source, event_id) for name, value in metrics.items()}


def deployment_facts(
    *, version: str, environment: str, observed_at: datetime, source: str, event_id: str
) -> dict[str, Fact]:
    """Give what a ``deployment.completed`` event says of the deployment itself."""
    return {
        "deployment.version": Fact(version, observed_at, source, event_id),
        "deployment.environment": Fact(environment, observed_at, source, event_id),
    }
