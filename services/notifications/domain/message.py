"""What is sent: the body of each event, the same bytes in every attempt."""

import json
from collections.abc import Mapping
from datetime import datetime

from schemas.cloudevents import timestamp
from schemas.events import PromotionChanged, event_type
from schemas.identifiers import event_id
from schemas.topics import PROMOTION_CHANGED
from schemas.webhooks import WebhookEvent


def change_id(change: PromotionChanged) -> str:
    """Give the id under which the promotion service tells of ``change``, wherever we have it from."""
    return event_id(f"{change.organization_id}/{change.promotion_id}", change.version, event_type(PROMOTION_CHANGED))


def change_body(change: PromotionChanged) -> str:
    """Write the body that tells of ``change``."""
    return _body(WebhookEvent.PROMOTION_CHANGED, change.at, change.model_dump(mode="json"))


def ping_body(*, organization_id: str, webhook_id: str, name: str, by: str, now: datetime) -> str:
    """Write the body that only shows that the webhook is reached."""
    data = {"organization_id": organization_id, "webhook_id": webhook_id, "name": name, "sent_by": by}
    return _body(WebhookEvent.TEST, now, data)


def _body(event: WebhookEvent, moment: datetime, data: Mapping[str, object]) -> str:
    return json.dumps({"type": event, "timestamp": timestamp(moment), "data": data}, ensure_ascii=False)
