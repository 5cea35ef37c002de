"""Announcements for tests, with what does not matter filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schemas.vocabulary import DeploymentOutcome
from services.inventory.domain.deployments import Announcement

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_PLAIN = Announcement(
    organization_id="acme",
    gateway_id="gw",
    deployment_id="dep",
    agent_id="agent",
    environment="staging",
    version="1",
    digest=None,
    outcome=DeploymentOutcome.SUCCEEDED,
    at=NOON,
    promotion_id=None,
    error=None,
)


def announce(
    deployment_id: str, *, minute: int, outcome: DeploymentOutcome = DeploymentOutcome.SUCCEEDED, **rest: object
) -> Announcement:
    """An announcement at ``minute`` past noon."""
    at = NOON + timedelta(minutes=minute)
    return replace(_PLAIN, deployment_id=deployment_id, at=at, outcome=outcome, **rest)  # type: ignore[arg-type]
