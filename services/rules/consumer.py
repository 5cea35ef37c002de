"""Kafka's door to the rules service: which topics it takes, and the handler of each."""

from schemas import topics
from services.platform.messaging.consumer import Subscription
from services.rules.handlers.intake import Intake
from services.rules.handlers.requests import RequestDesk


def subscriptions(desk: RequestDesk, intake: Intake) -> list[Subscription]:
    """List what the service consumes."""
    return [
        Subscription(topics.PROMOTION_REQUESTED, desk.take),
        Subscription(topics.DEPLOYMENT_COMPLETED, intake.take_announcements, patient=True),
        Subscription(topics.TESTS_COMPLETED, intake.take, patient=True),
        Subscription(topics.METRICS_OBSERVED, intake.take, patient=True),
    ]
