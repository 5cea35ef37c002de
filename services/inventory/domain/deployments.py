"""Which deployment of a slot is live, folded from announcements in whatever order they arrive.

A deployment's place in its slot is its newest success, ties by id; the last one is active unless it has ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from schemas.vocabulary import DeploymentOutcome, DeploymentStatus

DeploymentKey = tuple[str, str, str]
SlotKey = tuple[str, str, str]
# At the same instant the removal of a deployment outlasts its failure, and either its success.
_END_RANK = {DeploymentStatus.FAILED: 0, DeploymentStatus.REMOVED: 1}
_ENDS = {
    DeploymentOutcome.FAILED: DeploymentStatus.FAILED,
    DeploymentOutcome.REMOVED: DeploymentStatus.REMOVED,
}


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
    # Newest success; None where none was announced.
    succeeded_at: datetime | None
    ended_at: datetime | None
    ended_as: DeploymentStatus | None
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

    ``known`` holds the announced deployments as they are stored, and for each announced success the deployments next
    to it in its slot, on both sides.
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
        merged = _first(announcement) if known is None else _merged(known, announcement)
        successor = self._after(merged) if merged.succeeded_at is not None else None
        settled = _settled(merged, successor)
        if announcement.outcome is DeploymentOutcome.SUCCEEDED:
            if settled.active_since is not None and announcement.at < settled.active_since:
                settled = self._earlier_start(settled, announcement.at)
            self._retire_predecessor(announcement)
            self._interrupt(announcement)
        self._keep(settled)

    def changed(self) -> Sequence[Deployment]:
        """Give the deployments that are not stored as they are now, in the order of their keys."""
        return [
            deployment for key, deployment in sorted(self._deployments.items()) if self._stored.get(key) != deployment
        ]

    def _keep(self, deployment: Deployment) -> None:
        self._deployments[deployment.key] = deployment
        if deployment.succeeded_at is not None:
            self._slots.setdefault(deployment.slot, {})[deployment.deployment_id] = deployment

    def _others(self, deployment: Deployment) -> list[tuple[datetime, str, Deployment]]:
        return [
            (other.succeeded_at, other.deployment_id, other)
            for other in self._slots.get(deployment.slot, {}).values()
            if other.deployment_id != deployment.deployment_id and other.succeeded_at is not None
        ]

    def _after(self, deployment: Deployment) -> datetime | None:
        place = (deployment.succeeded_at, deployment.deployment_id)
        return min((at for at, identifier, _ in self._others(deployment) if (at, identifier) > place), default=None)

    def _earlier_start(self, deployment: Deployment, at: datetime) -> Deployment:
        ended_since = deployment.ended_at is not None and deployment.ended_at >= at
        replaced_since = any(other_at >= at for other_at, _, _ in self._others(deployment))
        return deployment if ended_since or replaced_since else replace(deployment, active_since=at)

    def _interrupt(self, announcement: Announcement) -> None:
        # The active one was announced twice, and this one was live in between: it is active since the second time.
        for other in list(self._slots.get(announcement.slot, {}).values()):
            if other.deployment_id == announcement.deployment_id or other.active_since is None:
                continue
            if other.active_since <= announcement.at:
                self._keep(replace(other, active_since=other.succeeded_at))

    def _retire_predecessor(self, announcement: Announcement) -> None:
        place = (announcement.at, announcement.deployment_id)
        before = [
            (other.succeeded_at, other.deployment_id)
            for other in self._slots.get(announcement.slot, {}).values()
            if other.deployment_id != announcement.deployment_id
            and other.succeeded_at is not None
            and (other.succeeded_at, other.deployment_id) < place
        ]
        if before:
            predecessor = self._slots[announcement.slot][max(before)[1]]
            self._keep(_settled(predecessor, announcement.at))


def _first(announcement: Announcement) -> Deployment:
    succeeded = announcement.outcome is DeploymentOutcome.SUCCEEDED
    return Deployment(
        organization_id=announcement.organization_id,
        gateway_id=announcement.gateway_id,
        deployment_id=announcement.deployment_id,
        agent_id=announcement.agent_id,
        environment=announcement.environment,
        version=announcement.version,
        digest=announcement.digest,
        status=_ENDS.get(announcement.outcome, DeploymentStatus.RETIRED),
        deployed_at=announcement.at,
        succeeded_at=announcement.at if succeeded else None,
        ended_at=None if succeeded else announcement.at,
        ended_as=_ENDS.get(announcement.outcome),
        active_since=None,
        retired_at=None,
        promotion_id=announcement.promotion_id,
        error=announcement.error,
    )


def _merged(known: Deployment, announcement: Announcement) -> Deployment:
    _refuse_contradiction(known, announcement)
    merged = replace(
        known,
        digest=known.digest or announcement.digest,
        promotion_id=known.promotion_id or announcement.promotion_id,
    )
    if announcement.outcome is DeploymentOutcome.SUCCEEDED:
        newest = announcement.at if known.succeeded_at is None else max(known.succeeded_at, announcement.at)
        return replace(merged, succeeded_at=newest, deployed_at=newest)
    ended_as = _ENDS[announcement.outcome]
    if known.ended_as is not None and known.ended_at is not None:
        is_newer = (announcement.at, _END_RANK[ended_as]) > (known.ended_at, _END_RANK[known.ended_as])
        if not is_newer:
            return merged
    deployed_at = announcement.at if known.succeeded_at is None else known.deployed_at
    return replace(
        merged, ended_at=announcement.at, ended_as=ended_as, deployed_at=deployed_at, error=announcement.error
    )


def _refuse_contradiction(known: Deployment, announcement: Announcement) -> None:
    for name in ("agent_id", "environment", "version", "digest"):
        before, now = getattr(known, name), getattr(announcement, name)
        if before is not None and now is not None and before != now:
            raise Contradiction(
                f"deployment {known.deployment_id!r} on gateway {known.gateway_id!r} is known with {name} {before!r}, "
                f"not {now!r}; a deployment never changes: announce another one under its own id"
            )


def _settled(deployment: Deployment, successor_at: datetime | None) -> Deployment:
    succeeded_at, ended_at = deployment.succeeded_at, deployment.ended_at
    if deployment.ended_as is not None and ended_at is not None and (succeeded_at is None or ended_at >= succeeded_at):
        return replace(deployment, status=deployment.ended_as, active_since=None, retired_at=None)
    if successor_at is None:
        since = deployment.active_since
        if since is None or (ended_at is not None and since <= ended_at):
            since = succeeded_at
        return replace(deployment, status=DeploymentStatus.ACTIVE, active_since=since, retired_at=None)
    retired_at = successor_at
    if deployment.retired_at is not None and succeeded_at is not None and deployment.retired_at >= succeeded_at:
        retired_at = min(deployment.retired_at, successor_at)
    return replace(deployment, status=DeploymentStatus.RETIRED, active_since=None, retired_at=retired_at)
