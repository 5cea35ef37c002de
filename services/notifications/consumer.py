"""Kafka's door of notifications: changes come in, nothing is sent from here."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event, PromotionChanged, event_source
from schemas.topics import PROMOTION_CHANGED
from services.notifications.handlers import take_in
from services.platform.messaging.consumer import SomeUnprocessable, Subscription, Unprocessable


def subscriptions(*, deadline: timedelta) -> list[Subscription]:
    """Give what notifications consumes; ``deadline`` is how long a delivery is tried."""

    async def on_changed(connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
        foreign = {
            place: Unprocessable("foreign_source", f"{event.source[:80]!r} may not say what became of a promotion")
            for place, event in enumerate(events)
            if event.source != event_source("promotion", event.data.organization_id)
        }
        if foreign:
            raise SomeUnprocessable(foreign)
        changes = [event.data for event in events if isinstance(event.data, PromotionChanged)]
        await take_in(connection, changes, now=now, deadline=deadline)

    return [Subscription(PROMOTION_CHANGED, on_changed, patient=True)]
