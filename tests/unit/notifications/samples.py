"""A change, a webhook and attempts, as tests need them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.events import PromotionChanged
from schemas.vocabulary import PromotionStatus, StatusReason
from schemas.webhooks import WebhookStatus
from services.notifications.domain.course import Answer, Attempt, Delivery, Reply
from services.notifications.domain.hook import Health, Hook

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
WEBHOOK, PROMOTION = UUID(int=1), UUID(int=2)


def change(**more: Any) -> PromotionChanged:
    given: dict[str, Any] = {
        "organization_id": "acme", "promotion_id": PROMOTION, "version": 2, "agent_id": "agent-1",
        "source_deployment_id": "dep-1", "target_gateway_id": "gw-1", "source_environment": "staging",
        "target_environment": "production", "previous_status": PromotionStatus.PENDING,
        "status": PromotionStatus.PENDING, "status_reason": StatusReason.AWAITING_APPROVAL,
        "status_message": "It has 0 of 1 approvals.", "actor": "service:rules", "at": NOW,
    }  # fmt: skip
    return PromotionChanged(**{**given, **more})


def hook(number: int = 1, *, health: Health | None = None, **more: Any) -> Hook:
    given: dict[str, Any] = {
        "organization_id": "acme", "id": UUID(int=number), "version": 1, "name": "Approvers", "url": "https://hooks.example/a",
        "filter": {}, "secret": "sealed", "old_secrets": (),
        "status": WebhookStatus.ACTIVE, "status_reason": None, "active_since": NOW - timedelta(days=1),
        "created_at": NOW, "created_by": "alma", "updated_at": NOW, "updated_by": "alma",
    }  # fmt: skip
    return Hook(**{**given, **more}, health=health or Health())


def attempt(reply: Reply | None = None, *, number: int = 1, at: datetime = NOW, left_seconds: float = 3600) -> Attempt:
    delivery = Delivery(
        organization_id="acme", id=UUID(int=9), webhook_id=WEBHOOK, event_id="event-1", body="{}", epoch=1,
        attempts=number, deadline_at=at + timedelta(seconds=left_seconds),
    )  # fmt: skip
    return Attempt(delivery, reply or Answer(500), at, at)
