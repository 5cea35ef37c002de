"""What follows from an attempt: for the delivery, whether and when it is tried again; for the webhook, whether it rests
or is disabled. Pure: time and jitter come in.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from schemas.webhooks import DeliveryStatus
from services.notifications.domain.hook import Health

FIRST_DELAY_SECONDS = 5.0
LONGEST_DELAY_SECONDS = 1800.0
GROWTH = 3.0
# So many failures in a row, and the webhook is tried with one delivery at a time, with rests in between.
FAILURES_TO_REST = 5
FIRST_REST_SECONDS = 5.0
LONGEST_REST_SECONDS = 300.0
# Nothing was taken for so long, in so many attempts: nobody is there any more.
DISABLE_AFTER = timedelta(days=3)
DISABLE_AFTER_FAILURES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery under a lease: what is sent, and how often it was tried, this time included."""

    organization_id: str
    id: UUID
    webhook_id: UUID
    event_id: str
    body: str
    epoch: int
    attempts: int
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said; ``text`` is how its body began."""

    status: int
    text: str = ""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why no answer came; whether the receiver heard us is not known."""

    reason: str


Reply = Answer | NoAnswer


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that is over."""

    delivery: Delivery
    reply: Reply
    began_at: datetime
    ended_at: datetime

    @property
    def taken(self) -> bool:
        """Tell whether the receiver took it."""
        return isinstance(self.reply, Answer) and 200 <= self.reply.status < 300

    @property
    def gone(self) -> bool:
        """Tell whether the receiver wants nothing any more."""
        return isinstance(self.reply, Answer) and self.reply.status == HTTPStatus.GONE

    @property
    def error(self) -> str | None:
        """Say what was wrong, None where nothing was."""
        match self.reply:
            case NoAnswer(reason):
                return reason
            case Answer(status) if 300 <= status < 400:
                return f"the answer is {status}; redirects are not followed, register the address that it leads to"
            case Answer(status):
                return None if self.taken else f"the answer is {status}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a delivery stands after an attempt: when it is due again, or when it ended."""

    status: DeliveryStatus
    due_at: datetime
    ended_at: datetime | None


def standing_after(attempt: Attempt, *, jitter: float) -> Standing:
    """Say where the delivery stands; ``jitter`` is from 0 to 1 and spreads the wait over its upper half.

    It is tried for the last time at its deadline.
    """
    now, delivery = attempt.ended_at, attempt.delivery
    if attempt.taken:
        return Standing(DeliveryStatus.DELIVERED, now, now)
    if attempt.gone or now >= delivery.deadline_at:
        return Standing(DeliveryStatus.FAILED, now, now)
    longest = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * GROWTH ** min(delivery.attempts - 1, 16))
    wait_seconds = longest * (1 + jitter) / 2
    if isinstance(attempt.reply, Answer) and attempt.reply.retry_after_seconds is not None:
        wait_seconds = max(wait_seconds, min(attempt.reply.retry_after_seconds, LONGEST_DELAY_SECONDS))
    return Standing(DeliveryStatus.WAITING, min(now + timedelta(seconds=wait_seconds), delivery.deadline_at), None)


def health_after(health: Health, attempt: Attempt) -> Health:
    """Take in how an attempt went; one that was taken makes good all before it."""
    now = attempt.ended_at
    if attempt.taken:
        return Health(last_delivered_at=max(now, health.last_delivered_at or now))
    failures = health.failures + 1
    return replace(
        health, failures=failures, failing_since=health.failing_since or now, rests_until=_rest(failures, now)
    )


def _rest(failures: int, now: datetime) -> datetime | None:
    if failures < FAILURES_TO_REST:
        return None
    rest_seconds = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2.0 ** min(failures - FAILURES_TO_REST, 16))
    return now + timedelta(seconds=rest_seconds)


def why_disable(health: Health, attempt: Attempt) -> str | None:
    """Say why nothing is sent to a webhook any more, None where there is no reason to stop."""
    if attempt.gone:
        return "it answered 410 Gone: it wants nothing any more"
    since = health.failing_since
    if attempt.taken or since is None or health.failures < DISABLE_AFTER_FAILURES:
        return None
    if attempt.ended_at - since < DISABLE_AFTER:
        return None
    moment = since.isoformat(timespec="seconds")
    return f"nothing was taken since {moment}, in {health.failures} attempts; the last one: {attempt.error}"
