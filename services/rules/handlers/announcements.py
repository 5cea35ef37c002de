"""Takes the news of deployments: whatever waits for one is looked at as soon as inventory shows it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import DeploymentCompleted, Event
from services.rules.store.rechecks import Cause, Recheck, add_rechecks


async def take_announcements(connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
    """Take a batch of ``deployment.completed``; a repeat looks once more, which is harmless."""
    looks: dict[tuple[str, str, str], Recheck] = {}
    for event in events:
        data = event.data
        assert isinstance(data, DeploymentCompleted)
        look = Recheck(
            data.organization_id,
            data.deployment_id,
            Cause.DEPLOYMENT,
            now,
            gateway_id=data.gateway_id,
            deployed_at=data.deployed_at,
        )
        looks[(*look.key, data.gateway_id)] = look
    await add_rechecks(connection, list(looks.values()))
