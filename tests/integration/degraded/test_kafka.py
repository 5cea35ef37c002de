"""Kafka away, and PostgreSQL under the whole system: what is accepted meanwhile is done when it is back."""

import time
from uuid import uuid4

import pytest

from studio.client import SyncPromotionClient
from studio.problems import ApiError, Unavailable
from tests.integration.degraded.calls import ANSWERED_SECONDS, paused
from tests.integration.studio.running import RunningStack, until


def client(stack: RunningStack, identity: str) -> SyncPromotionClient:
    ready = stack.ready
    return SyncPromotionClient(ready["api"], ready["tokens"][identity])


@pytest.fixture
def deployment(stack: RunningStack) -> str:
    """A deployment that runs in staging; its agent is called like it."""
    identifier = f"dep-{uuid4().hex[:8]}"
    stack.announce(identifier, agent_id=identifier, environment="staging")
    until(lambda: stack.knows(identifier))
    return identifier


def wish(deployment: str) -> dict[str, str]:
    return {"agent_id": deployment, "source_deployment_id": deployment, "target_environment": "production"}


def test_without_kafka_one_asks_votes_and_looks_and_the_work_is_done_afterwards(
    stack: RunningStack, deployment: str
) -> None:
    with client(stack, "requester") as requester, client(stack, "approver") as approver:
        with paused(stack.ready["processes"]["kafka"]):
            began = time.monotonic()
            promotion = requester.create_promotion(wish(deployment))
            voted = approver.approve(promotion.id)
            listed = requester.list_promotions(agent_id=deployment)
            stack.announce(f"{deployment}-next", agent_id=deployment, environment="development")
            took = time.monotonic() - began
            waiting = requester.get_promotion(promotion.id)

        until(lambda: requester.get_promotion(promotion.id).status == "completed", 60)

    assert [vote.voter for vote in voted.votes] == ["approver"]
    assert [item.id for item in listed.items] == [promotion.id]
    assert (waiting.status, waiting.status_reason) == ("pending", "evaluating")
    assert took < 4 * ANSWERED_SECONDS
    until(lambda: stack.knows(f"{deployment}-next"), 60)


def test_a_database_that_hangs_under_everybody_ends_nothing(stack: RunningStack, deployment: str) -> None:
    with client(stack, "requester") as requester, client(stack, "approver") as approver:
        promotion = requester.create_promotion(wish(deployment))
        with paused(stack.ready["processes"]["postgres"]), pytest.raises(Unavailable) as refused:
            approver.approve(promotion.id)
        until(lambda: _approved(approver, str(promotion.id)), 60)
        until(lambda: requester.get_promotion(promotion.id).status == "completed", 60)

    assert (refused.value.status, refused.value.retry_after_seconds) == (503, 1)


def _approved(approver: SyncPromotionClient, promotion_id: str) -> bool:
    try:
        approver.approve(promotion_id)
    except ApiError as error:
        # It may have been done before the answer was given up.
        return error.status == 409
    return True
