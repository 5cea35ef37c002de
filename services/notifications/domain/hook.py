"""A webhook as a value: where it is, what it wants to hear, and how it has done lately."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.events import PromotionChanged
from schemas.webhooks import WebhookEvent, WebhookStatus

# Each of them signs everything that is sent.
MOST_OLD_SECRETS = 4


class TooManySecrets(Exception):
    """So many secrets sign already that another one would drop one before its time."""


@dataclass(frozen=True, slots=True)
class OldSecret:
    """A sealed secret that was replaced, and until when it signs too."""

    sealed: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """How attempts went: how many failed in a row, since when, and until when nothing is tried."""

    failures: int = 0
    failing_since: datetime | None = None
    rests_until: datetime | None = None
    last_delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A webhook; secrets are sealed. What happened before ``active_since`` is no news to it."""

    organization_id: str
    id: UUID
    # Counts what people changed, and that it was disabled.
    version: int
    name: str
    url: str
    # As it is kept: a newer version may have asked for more than this one knows.
    filter: Mapping[str, Any]
    secret: str
    # The newest of them first.
    old_secrets: tuple[OldSecret, ...]
    status: WebhookStatus
    status_reason: str | None
    active_since: datetime
    health: Health
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    def __repr__(self) -> str:
        return f"Hook({self.organization_id!r}, {str(self.id)!r})"

    @property
    def key(self) -> tuple[str, UUID]:
        """Identify the webhook."""
        return self.organization_id, self.id

    def old_secrets_at(self, now: datetime) -> tuple[OldSecret, ...]:
        """Give the old secrets whose time is not over."""
        return tuple(old for old in self.old_secrets if now < old.until)

    def wants(self, change: PromotionChanged) -> bool:
        """Tell whether the webhook is to be told of ``change``."""
        return self.status is WebhookStatus.ACTIVE and change.at >= self.active_since and fits(self.filter, change)


def with_new_secret(hook: Hook, sealed: str, *, overlap: timedelta, now: datetime) -> Hook:
    """Replace the secret, which signs too for the ``overlap``; those before it keep their time.

    No overlap ends them all. Raises TooManySecrets.
    """
    if not overlap:
        return replace(hook, secret=sealed, old_secrets=())
    kept = hook.old_secrets_at(now)
    if len(kept) >= MOST_OLD_SECRETS:
        first = min(old.until for old in kept)
        raise TooManySecrets(
            f"{MOST_OLD_SECRETS} old secrets sign still, which is as many as may; the first of them ends at "
            f"{first.isoformat(timespec='seconds')}: ask again then, or end them all now with overlap_seconds 0"
        )
    return replace(hook, secret=sealed, old_secrets=(OldSecret(hook.secret, now + overlap), *kept))


def fits(wanted: Mapping[str, Any], change: PromotionChanged) -> bool:
    """Tell whether everything that ``wanted`` asks for is so of ``change``; what is asked in words unknown here is not.

    So a webhook is told too little, never too much, by a version older than the one that took its filter.
    """
    known = {
        "events": WebhookEvent.PROMOTION_CHANGED,
        "statuses": change.status,
        "reasons": change.status_reason,
        "target_environments": change.target_environment,
        "agent_ids": change.agent_id,
        "break_glass": change.break_glass,
    }
    return all(name in known and _allows(allowed, known[name]) for name, allowed in wanted.items())


def _allows(allowed: object, value: object) -> bool:
    return value in allowed if isinstance(allowed, list) else allowed is value
