"""Which deployment of a slot is live, folded from announcements in whatever order they arrive.

A deployment's place in its slot is its newest success, ties by id; the last one is active unless it was removed. A
failure makes the successes before it void: what failed was never live, and what it seemed to replace still is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from schemas.values import dataclass
from schemas.vocabulary import DeploymentOutcome, DeploymentStatus

DeploymentKey = tuple[str, str, str]
SlotKey = tuple[str, str, str]


class Contradiction(ValueError):
    """An announcement says of a known deployment what cannot change; the message names both values."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What somebody says of one deployment; ``at`` is when it became live, failed or was removed."""

    organization_id: str
    gateway_id: str
    deployment_id: str
    agent_id: str
    environment: str
    version: str
    digest: str | None
    outcome: DeploymentOutcome
    at: datetime
    # Only what the executor says about promotions is kept.
    promotion_id: UUID | None
    error: str | None

    @property
    def key(self) -> DeploymentKey:
        """Identify the deployment."""
        return self.organization_id, self.gateway_id, self.deployment_id

    @property
    def slot(self) -> SlotKey:
        """Identify the slot."""
        return self.organization_id, self.agent_id, self.gateway_id


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is known of one deployment on one gateway."""

    organization_id: str
    gateway_id: str
    deployment_id: str
    agent_id: str
    environment: str
    version: str
    digest: str | None
    status: DeploymentStatus
    deployed_at: datetime
    # The newest success that no failure made void, and the newest failure and removal.
    succeeded_at: datetime | None
    failed_at: datetime | None
    removed_at: datetime | None
    active_since: datetime | None
    retired_at: datetime | None
    promotion_id: UUID | None
    error: str | None

    @property
    def key(self) -> DeploymentKey:
        """Identify the deployment."""
        return self.organization_id, self.gateway_id, self.deployment_id

    @property
    def slot(self) -> SlotKey:
        """Identify the slot."""
        return self.organization_id, self.agent_id, self.gateway_id


class Slots:
    """The slots that a batch of announcements touches, and what becomes of their deployments.

    ``known`` holds the announced deployments as they are stored, and the deployments on both sides of each announced
    success and of each stored success of an announced deployment.
    """

    def __init__(self, known: Iterable[Deployment]) -> None:
        self._deployments: dict[DeploymentKey, Deployment] = {}
        self._slots: dict[SlotKey, dict[str, Deployment]] = {}
        for deployment in known:
            self._keep(deployment)
        self._stored = dict(self._deployments)

    def announce(self, announcement: Announcement) -> None:
        """Take ``announcement`` in; repeating it changes nothing. Raises Contradiction."""
        known = self._deployments.get(announcement.key)
        merged = _merged(_unheard_of(announcement) if known is None else known, announcement)
        if known is not None and known.succeeded_at is not None and merged.succeeded_at is None:
            self._withdraw(known)
        settled = _settled(merged, self._after(merged))
        if merged.succeeded_at is not None and announcement.outcome is DeploymentOutcome.SUCCEEDED:
            settled = self._earlier_start(settled, announcement.at)
            self._retire_predecessor(settled, announcement.at)
            self._interrupt(settled, announcement.at)
        self._keep(settled)

    def changed(self) -> Sequence[Deployment]:
        """Give the deployments that are not stored as they are now, in the order of their keys."""
        return [
            deployment for key, deployment in sorted(self._deployments.items()) if self._stored.get(key) != deployment
        ]

    def _keep(self, deployment: Deployment) -> None:
        self._deployments[deployment.key] = deployment
        slot = self._slots.setdefault(deployment.slot, {})
        if deployment.succeeded_at is None:
            slot.pop(deployment.deployment_id, None)
        else:
            slot[deployment.deployment_id] = deployment

    def _others(self, deployment: Deployment) -> list[tuple[datetime, str]]:
        return [
            (other.succeeded_at, identifier)
            for identifier, other in self._slots.get(deployment.slot, {}).items()
            if identifier != deployment.deployment_id and other.succeeded_at is not None
        ]

    def _after(self, deployment: Deployment) -> datetime | None:
        if deployment.succeeded_at is None:
            return None
        place = (deployment.succeeded_at, deployment.deployment_id)
        return min((at for at, identifier in self._others(deployment) if (at, identifier) > place), default=None)

    def _before(self, deployment: Deployment, at: datetime) -> Deployment | None:
        before = [place for place in self._others(deployment) if place < (at, deployment.deployment_id)]
        return self._slots[deployment.slot][max(before)[1]] if before else None

    def _withdraw(self, deployment: Deployment) -> None:
        assert deployment.succeeded_at is not None
        predecessor = self._before(deployment, deployment.succeeded_at)
        successor_at = self._after(deployment)
        if predecessor is not None:
            self._keep(_settled(replace(predecessor, retired_at=None), successor_at))

    def _earlier_start(self, deployment: Deployment, at: datetime) -> Deployment:
        if deployment.active_since is None or at >= deployment.active_since:
            return deployment
        removed_since = deployment.removed_at is not None and deployment.removed_at >= at
        replaced_since = any(other_at >= at for other_at, _ in self._others(deployment))
        return deployment if removed_since or replaced_since else replace(deployment, active_since=at)

    def _retire_predecessor(self, deployment: Deployment, at: datetime) -> None:
        predecessor = self._before(deployment, at)
        if predecessor is not None:
            self._keep(_settled(predecessor, at))

    def _interrupt(self, deployment: Deployment, at: datetime) -> None:
        # The active one was announced twice, and this one was live in between: it is active since the second time.
        for other in list(self._slots.get(deployment.slot, {}).values()):
            if other.key != deployment.key and other.active_since is not None and other.active_since <= at:
                self._keep(replace(other, active_since=other.succeeded_at))


def _unheard_of(announcement: Announcement) -> Deployment:
    return Deployment(
        organization_id=announcement.organization_id,
        gateway_id=announcement.gateway_id,
        deployment_id=announcement.deployment_id,
        agent_id=announcement.agent_id,
        environment=announcement.environment,
        version=announcement.version,
        digest=announcement.digest,
        status=DeploymentStatus.FAILED,
        deployed_at=announcement.at,
        succeeded_at=None,
        failed_at=None,
        removed_at=None,
        active_since=None,
        retired_at=None,
        promotion_id=announcement.promotion_id,
        error=None,
    )


def _merged(known: Deployment, announcement: Announcement) -> Deployment:
    _refuse_contradiction(known, announcement)
    merged = replace(
        known,
        digest=known.digest or announcement.digest,
        promotion_id=known.promotion_id or announcement.promotion_id,
    )
    match announcement.outcome:
        case DeploymentOutcome.SUCCEEDED:
            merged = replace(merged, succeeded_at=_later(known.succeeded_at, announcement.at))
        case DeploymentOutcome.REMOVED:
            merged = replace(merged, removed_at=_later(known.removed_at, announcement.at))
        case DeploymentOutcome.FAILED:
            is_newest = known.failed_at is None or announcement.at > known.failed_at
            error = announcement.error if is_newest else known.error
            merged = replace(merged, failed_at=_later(known.failed_at, announcement.at), error=error)
    if merged.failed_at is not None and merged.succeeded_at is not None and merged.failed_at >= merged.succeeded_at:
        merged = replace(merged, succeeded_at=None)
    moments = (merged.failed_at, merged.removed_at) if merged.succeeded_at is None else (merged.succeeded_at,)
    return replace(merged, deployed_at=max(moment for moment in moments if moment is not None))


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)


def _refuse_contradiction(known: Deployment, announcement: Announcement) -> None:
    for name in ("agent_id", "environment", "version", "digest"):
        before, now = getattr(known, name), getattr(announcement, name)
        if before is not None and now is not None and before != now:
            raise Contradiction(
                f"deployment {known.deployment_id!r} on gateway {known.gateway_id!r} is known with {name} {before!r}, "
                f"not {now!r}; a deployment never changes: announce another one under its own id"
            )


def _settled(deployment: Deployment, successor_at: datetime | None) -> Deployment:
    ended_as = _ended_as(deployment)
    if ended_as is not None:
        return replace(deployment, status=ended_as, active_since=None, retired_at=None)
    at, removed_at = deployment.succeeded_at, deployment.removed_at
    assert at is not None
    if successor_at is None:
        since = deployment.active_since
        if since is None or (removed_at is not None and since <= removed_at):
            since = at
        return replace(deployment, status=DeploymentStatus.ACTIVE, active_since=since, retired_at=None)
    retired_at = successor_at
    if deployment.retired_at is not None and deployment.retired_at >= at:
        retired_at = min(deployment.retired_at, successor_at)
    return replace(deployment, status=DeploymentStatus.RETIRED, active_since=None, retired_at=retired_at)


def _ended_as(deployment: Deployment) -> DeploymentStatus | None:
    removed_at, failed_at = deployment.removed_at, deployment.failed_at
    since = deployment.succeeded_at or failed_at
    if removed_at is not None and (since is None or removed_at >= since):
        return DeploymentStatus.REMOVED
    return DeploymentStatus.FAILED if deployment.succeeded_at is None else None
