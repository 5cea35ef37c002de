"""Webhooks: what callers write and read of them, and of what was sent to them."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from schemas.resources import Request, Resource
from schemas.text import EnvironmentName, Identifier, Title
from schemas.vocabulary import PromotionStatus, StatusReason

MAX_OVERLAP_SECONDS = 7 * 86400
_Secret = Annotated[str, Field(min_length=1, max_length=200)]


class WebhookEvent(StrEnum):
    """What webhooks are told of, as their body's ``type``."""

    PROMOTION_CHANGED = "promotion.changed"
    # Sent on request alone, past every filter.
    TEST = "webhook.test"


class WebhookStatus(StrEnum):
    """Whether anything is sent."""

    ACTIVE = "active"
    DISABLED = "disabled"


class DeliveryStatus(StrEnum):
    """What became of a delivery; the last two never change, unless it is asked for again."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookFilter(Request):
    """Which changes a webhook is told of: all that is given has to fit, and what is left out fits everything."""

    events: Annotated[list[WebhookEvent], Field(min_length=1, max_length=10)] | None = None
    statuses: Annotated[list[PromotionStatus], Field(min_length=1, max_length=10)] | None = None
    reasons: Annotated[list[StatusReason], Field(min_length=1, max_length=20)] | None = None
    target_environments: Annotated[list[EnvironmentName], Field(min_length=1, max_length=20)] | None = None
    agent_ids: Annotated[list[Identifier], Field(min_length=1, max_length=100)] | None = None
    # True: only where an administrator approved alone; false: only where nobody did.
    break_glass: bool | None = None


class StoredFilter(Resource):
    """A webhook's filter as it is kept; what only a newer version knows of it is shown as well.

    Of that an older version lets nothing through.
    """

    model_config = ConfigDict(extra="allow")

    events: list[str] | None = None
    statuses: list[str] | None = None
    reasons: list[str] | None = None
    target_environments: list[str] | None = None
    agent_ids: list[str] | None = None
    break_glass: bool | None = None


class WebhookWrite(Request):
    """A webhook as it is replaced; its secret stays."""

    name: Title
    url: Annotated[str, Field(min_length=1, max_length=1000)]
    filter: WebhookFilter = WebhookFilter()
    status: WebhookStatus = WebhookStatus.ACTIVE


class WebhookCreate(WebhookWrite):
    """A webhook as it is made; without a secret one is made up."""

    secret: _Secret | None = None


class SecretRotation(Request):
    """A new secret, made up where none is given; for the overlap the one before signs too, with 0 no old one does."""

    secret: _Secret | None = None
    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=MAX_OVERLAP_SECONDS)] = 86400


class Webhook(Resource):
    """An address that is told of changes, and how it does."""

    id: UUID
    organization_id: str
    # Also the ETag: it grows with every change by a person, and where the webhook is disabled by itself.
    version: int
    name: str
    url: str
    filter: StoredFilter
    status: WebhookStatus
    # Why it is disabled, where it was not disabled by hand.
    status_reason: str | None
    # How many attempts in a row came to nothing, and since when; null where the last one was taken.
    failures: int
    failing_since: AwareDatetime | None
    last_delivered_at: AwareDatetime | None
    # Until when what is sent carries more signatures than one; each old secret has its own time, this is the last.
    previous_secret_until: AwareDatetime | None
    created_at: AwareDatetime
    created_by: str
    updated_at: AwareDatetime
    updated_by: str


class WebhookWithSecret(Webhook):
    """A webhook with its new secret, the only time that it can be seen."""

    secret: str


class WebhookDelivery(Resource):
    """One event on its way to one webhook."""

    id: UUID
    webhook_id: UUID
    # The webhook-id header: equal in every attempt, and for every webhook that is told of the event.
    event_id: str
    event: str
    promotion_id: UUID | None
    status: DeliveryStatus
    attempts: int
    created_at: AwareDatetime
    # Null once it has ended.
    next_attempt_at: AwareDatetime | None
    deadline_at: AwareDatetime
    ended_at: AwareDatetime | None
    last_attempt_at: AwareDatetime | None
    last_duration_ms: int | None
    # The HTTP status of the last answer; null where none came.
    last_status: int | None
    # What was wrong with the last attempt, and how the answer began.
    last_error: str | None
    last_answer: str | None


class WebhookDeliveryWhole(WebhookDelivery):
    """A delivery with what is sent."""

    body: dict[str, Any]
