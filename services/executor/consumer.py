"""Kafka's door of the executor: orders come in, nothing is called from here."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event
from schemas.topics import PROMOTION_APPROVED
from services.executor.handlers import accept_orders
from services.platform.messaging.consumer import Subscription
from services.platform.messaging.outbox import Outbox


def subscriptions(*, outbox: Outbox, deadline: timedelta) -> list[Subscription]:
    """Give what the executor consumes; ``deadline`` is how long an execution is tried."""

    async def on_approved(connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
        await accept_orders(connection, events, outbox=outbox, now=now, deadline=deadline)

    return [Subscription(PROMOTION_APPROVED, on_approved)]
