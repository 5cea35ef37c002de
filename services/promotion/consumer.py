"""Kafka's door of the promotion service: what it consumes, and that each batch is one piece of work."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.events import Event
from services.platform.messaging.consumer import Apply, Subscription
from services.platform.messaging.outbox import Outbox
from services.promotion.completions import apply_completions
from services.promotion.evaluations import apply_evaluations
from services.promotion.work import Work


def subscriptions(outbox: Outbox, *, redrive_after: timedelta) -> list[Subscription]:
    """List what the service consumes."""

    def working(handle: Callable[[Work, Sequence[Event]], Awaitable[None]]) -> Apply:
        async def apply(connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
            await handle(Work(connection, outbox, redrive_after, now), events)

        return apply

    return [
        Subscription(topics.RULES_EVALUATED, working(apply_evaluations)),
        Subscription(topics.DEPLOYMENT_COMPLETED, working(apply_completions)),
    ]
