"""The load: deployments that development announces with their metrics, the rule they are promoted under, requests."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.events import DeploymentCompleted, Event, EventData, MetricsObserved, PromotionRequested, event_source
from schemas.vocabulary import DeploymentOutcome

ORGANIZATION = "acme"
SOURCE, TARGET = "development", "staging"
TARGET_GATEWAY = f"gw-{TARGET}"
# Approves by itself what both conditions hold for, so that each promotion has its facts loaded and its rule evaluated.
RULE: dict[str, Any] = {
    "name": "fit for staging",
    "source_environment": SOURCE,
    "target_environment": TARGET,
    "requires_approval": False,
    "conditions": {
        "all": [
            {"field": "metrics.error_rate", "op": "lte", "value": 0.01},
            {"field": "metrics.p95_latency_ms", "op": "lt", "value": 250},
        ]
    },
}
FACTS_EACH = 2


def names(label: str, count: int) -> list[str]:
    """Name `count` deployments of their own."""
    return [f"{label}-{number:07d}" for number in range(count)]


def announcement(name: str) -> list[EncodedRecord]:
    """Announce deployment ``dep-<name>`` of agent ``agent-<name>`` in development, and what was measured of it."""
    now = datetime.now(UTC)
    deployment = DeploymentCompleted(
        organization_id=ORGANIZATION,
        deployment_id=f"dep-{name}",
        agent_id=f"agent-{name}",
        environment=SOURCE,
        gateway_id=f"gw-{SOURCE}",
        version="1.0.0",
        status=DeploymentOutcome.SUCCEEDED,
        deployed_at=now,
    )
    metrics = MetricsObserved(
        organization_id=ORGANIZATION,
        deployment_id=f"dep-{name}",
        metrics={"error_rate": Decimal("0.002"), "p95_latency_ms": Decimal("41.5")},
    )
    key = deployment.deployment_id
    return [
        _record(topics.DEPLOYMENT_COMPLETED, key, now, deployment),
        _record(topics.METRICS_OBSERVED, key, now, metrics),
    ]


def request(name: str, *, label: str) -> tuple[UUID, EncodedRecord]:
    """Ask for the promotion of ``dep-<name>`` to staging, now; `label` is who asks."""
    now = datetime.now(UTC)
    identifier = uuid4()
    data = PromotionRequested(
        organization_id=ORGANIZATION,
        promotion_id=identifier,
        agent_id=f"agent-{name}",
        source_deployment_id=f"dep-{name}",
        target_gateway_id=TARGET_GATEWAY,
        target_environment=TARGET,
        created_by=label,
        created_at=now,
    )
    return identifier, _record(topics.PROMOTION_REQUESTED, str(identifier), now, data)


def request_body(name: str) -> dict[str, str]:
    """Give the body of the POST that asks for the promotion of ``dep-<name>`` to staging."""
    return {
        "agent_id": f"agent-{name}",
        "source_deployment_id": f"dep-{name}",
        "target_gateway_id": TARGET_GATEWAY,
        "target_environment": TARGET,
    }


def _record(topic: str, key: str, now: datetime, data: EventData) -> EncodedRecord:
    event = Event(
        topic=topic,
        key=key,
        id=str(uuid4()),
        source=event_source("bench", ORGANIZATION),
        subject=key,
        time=now,
        data=data,
    )
    return encode(event)
