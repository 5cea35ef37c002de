"""A webhook as a value: where it is, what it wants to hear, and how it has done lately."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from schemas.events import PromotionChanged
from schemas.webhooks import WebhookEvent, WebhookFilter, WebhookStatus

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
    name: str
    url: str
    filter: WebhookFilter
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
            f"{first.isoformat(timespec='seconds')}: ask again then, or with overlap_seconds 0, which ends them all now"
        )
    return replace(hook, secret=sealed, old_secrets=(OldSecret(hook.secret, now + overlap), *kept))


def fits(wanted: WebhookFilter, change: PromotionChanged) -> bool:
    """Tell whether everything that ``wanted`` asks for is so of ``change``."""
    asked = (
        (wanted.events, WebhookEvent.PROMOTION_CHANGED),
        (wanted.statuses, change.status),
        (wanted.reasons, change.status_reason),
        (wanted.target_environments, change.target_environment),
        (wanted.agent_ids, change.agent_id),
    )
    if any(allowed is not None and value not in allowed for allowed, value in asked):
        return False
    return wanted.break_glass is None or wanted.break_glass is change.break_glass
