"""Kafka's door to inventory: what deployment.completed says, as announcements."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.events import DeploymentCompleted, Event, event_source
from schemas.vocabulary import DeploymentOutcome
from services.inventory import tracing as spans
from services.inventory.domain.deployments import Announcement, Contradiction
from services.inventory.handlers import record_announcements
from services.platform import tracing
from services.platform.messaging.consumer import Subscription, Unprocessable

# A deployment from the future would stay the newest of its slot until then; more than clocks differ is refused.
CLOCK_TOLERANCE = timedelta(minutes=10)


async def apply(connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
    """Record what ``events`` announce."""
    announcements = [announcement(event, now) for event in events]
    try:
        await record_announcements(connection, announcements)
    except Contradiction as error:
        raise Unprocessable("contradiction", str(error)) from error
    if tracing.is_on():
        spans.taken(events, now=now)


def announcement(event: Event, now: datetime) -> Announcement:
    """Read ``event``: a success counts from ``deployed_at``, an end from the event's own time if that is later."""
    data = event.data
    if not isinstance(data, DeploymentCompleted):
        raise TypeError(f"{type(data).__name__} does not announce a deployment")
    is_success = data.status is DeploymentOutcome.SUCCEEDED
    at = data.deployed_at if is_success else max(data.deployed_at, event.time)
    if at > now + CLOCK_TOLERANCE:
        raise Unprocessable("from_the_future", f"{at.isoformat()} lies ahead of {now.isoformat()}; check the clock")
    from_executor = event.source == event_source("executor", data.organization_id)
    return Announcement(
        organization_id=data.organization_id,
        gateway_id=data.gateway_id,
        deployment_id=data.deployment_id,
        agent_id=data.agent_id,
        environment=data.environment,
        version=data.version,
        digest=data.digest,
        outcome=data.status,
        at=at,
        promotion_id=data.promotion_id if from_executor else None,
        error=data.error,
    )


# Who was told that a promotion is completed may promote its deployment on at once.
SUBSCRIPTIONS = (Subscription(topics.DEPLOYMENT_COMPLETED, apply),)
