"""Kafka's door to the rules service: which topics it takes, and the handler of each."""

from schemas import topics
from services.platform.messaging.consumer import Subscription
from services.rules.handlers.announcements import take_announcements
from services.rules.handlers.requests import RequestDesk


def subscriptions(desk: RequestDesk) -> list[Subscription]:
    """List what the service consumes."""
    return [
        Subscription(topics.PROMOTION_REQUESTED, desk.take),
        Subscription(topics.DEPLOYMENT_COMPLETED, take_announcements),
    ]
