"""The load: deployments that development announces and promotions that are asked for, as records on Kafka."""

from datetime import UTC, datetime
from uuid import uuid4

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.events import DeploymentCompleted, Event, PromotionRequested, event_source
from schemas.vocabulary import DeploymentOutcome

ORGANIZATION = "acme"


def announcement(name: str) -> EncodedRecord:
    """Announce deployment ``dep-<name>`` of agent ``agent-<name>`` in development."""
    now = datetime.now(UTC)
    data = DeploymentCompleted(
        organization_id=ORGANIZATION,
        deployment_id=f"dep-{name}",
        agent_id=f"agent-{name}",
        environment="development",
        gateway_id="gw-development",
        version="1.0.0",
        status=DeploymentOutcome.SUCCEEDED,
        deployed_at=now,
    )
    return encode(_event(topics.DEPLOYMENT_COMPLETED, data.deployment_id, now, data))


def request(name: str) -> EncodedRecord:
    """Ask for the promotion of ``dep-<name>`` to staging, now."""
    now = datetime.now(UTC)
    identifier = uuid4()
    data = PromotionRequested(
        organization_id=ORGANIZATION,
        promotion_id=identifier,
        agent_id=f"agent-{name}",
        source_deployment_id=f"dep-{name}",
        target_gateway_id="gw-staging",
        target_environment="staging",
        created_by="bench",
        created_at=now,
    )
    return encode(_event(topics.PROMOTION_REQUESTED, str(identifier), now, data))


def _event(topic: str, key: str, now: datetime, data: DeploymentCompleted | PromotionRequested) -> Event:
    return Event(
        topic=topic,
        key=key,
        id=str(uuid4()),
        source=event_source("bench", ORGANIZATION),
        subject=key,
        time=now,
        data=data,
    )
