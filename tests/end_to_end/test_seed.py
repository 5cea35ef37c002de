"""The words that the project began with, unchanged, against the running stack."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from studio.gateway import ReferenceGateway
from tests.end_to_end.api import announce, caller, deployment_event
from tests.end_to_end.conftest import RunStack
from tests.end_to_end.stack import RunningStack

PROMOTION_FIELDS = {
    *("id", "organization_id", "agent_id", "source_deployment_id", "target_gateway_id", "source_environment"),
    *("target_environment", "status", "requires_approval", "approved_by", "approved_at", "rejection_reason"),
    *("target_deployment_id", "created_by", "created_at", "completed_at"),
}
RULE_FIELDS = {
    *("id", "organization_id", "name", "source_environment", "target_environment", "requires_approval"),
    *("auto_promote", "required_approvers", "conditions", "status", "created_at", "updated_at"),
}


@pytest.fixture(scope="module")
def stack(run_stack: RunStack) -> RunningStack:
    return run_stack()


@pytest.fixture
def facade_environment(stack: RunningStack) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(stack.ready["environment"])
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
async def gateway_789(stack: RunningStack, tmp_path: Path) -> AsyncIterator[None]:
    """A second gateway of production, as the first words have it."""
    async with ReferenceGateway(log=tmp_path / "gw-789.log", gateway_id="gw-789", environment="production") as gateway:
        body = {"gateway_id": "gw-789", "name": "Production 2", "environment": "production", "url": gateway.url}
        await caller(stack.ready, "admin").post("/gateways", body)
        yield


@pytest.mark.usefixtures("facade_environment", "gateway_789")
async def test_the_snippet_promotes_to_production_word_for_word(stack: RunningStack) -> None:
    admin = caller(stack.ready, "admin")
    await announce(admin, deployment_event("dep-456", "agent-123", "staging"))
    org_id, user_id, approver_id = "acme", "user-1", "approver-1"

    from studio.services.promotion_service import PromotionService

    service = PromotionService()
    promotion = await service.create(
        {
            "organization_id": org_id,
            "agent_id": "agent-123",
            "source_deployment_id": "dep-456",
            "target_gateway_id": "gw-789",
            "target_environment": "production",
            "created_by": user_id,
        }
    )
    created = promotion
    promotion = await service.approve(promotion["id"], approver_id)
    deployment = await service.execute(promotion["id"])
    should_promote = await service.check_auto_promotion("dep-456")

    assert set(created) >= PROMOTION_FIELDS
    assert (created["status"], created["source_environment"], created["created_by"]) == ("pending", "staging", "user-1")
    assert deployment["agent_id"] == "agent-123"
    assert deployment["gateway_id"] == "gw-789"
    assert deployment["version"] == "2.4.0"
    assert should_promote is False
    final = await admin.get(f"/promotions/{created['id']}")
    assert (final["status"], final["approved_by"]) == ("completed", "approver-1")
    assert final["target_deployment_id"] == deployment["deployment_id"]


async def test_the_default_rules_free_development_to_staging_and_ask_one_approval_for_production(
    stack: RunningStack,
) -> None:
    admin, requester, approver = (caller(stack.ready, name) for name in ("admin", "requester", "approver"))
    await announce(admin, deployment_event("dep-1", "agent-1", "development"))

    to_staging = await requester.post(
        "/promotions",
        {
            "agent_id": "agent-1",
            "source_deployment_id": "dep-1",
            "target_gateway_id": "gw-staging",
            "target_environment": "staging",
        },
    )
    in_staging = await requester.until(f"/promotions/{to_staging['id']}", status="completed")
    await requester.until(f"/deployments/{in_staging['target_deployment_id']}", status="active")
    to_production = await requester.post(
        "/promotions",
        {
            "agent_id": "agent-1",
            "source_deployment_id": in_staging["target_deployment_id"],
            "target_gateway_id": "gw-production",
            "target_environment": "production",
        },
    )
    waiting = await requester.until(f"/promotions/{to_production['id']}", status_reason="awaiting_approval")
    await approver.post(f"/promotions/{to_production['id']}/approve", {})
    await requester.until(f"/promotions/{to_production['id']}", status="completed")

    assert in_staging["requires_approval"] is False
    assert (waiting["requires_approval"], waiting["required_approvers"]) == (True, 1)
    history = await requester.get(f"/promotions/{to_production['id']}/history")
    statuses = [entry["status"] for entry in history["items"]]
    assert statuses[0] == "pending"
    assert statuses[-1] == "completed"


async def test_a_rule_has_the_fields_that_it_always_had(stack: RunningStack) -> None:
    admin = caller(stack.ready, "admin")

    rule = await admin.post(
        "/promotions/rules",
        {
            "name": "Staging to production",
            "source_environment": "staging",
            "target_environment": "production",
            "requires_approval": True,
            "auto_promote": False,
            "required_approvers": 2,
            "conditions": {"field": "tests.pass_rate", "op": "gte", "value": 95},
        },
    )

    assert set(rule) >= RULE_FIELDS
    assert await admin.get(f"/promotions/rules/{rule['id']}") == rule
    status, _ = await admin.request("DELETE", f"/promotions/rules/{rule['id']}")
    assert status == 204


async def test_rejecting_ends_a_promotion_with_its_reason(stack: RunningStack) -> None:
    admin, requester, approver = (caller(stack.ready, name) for name in ("admin", "requester", "approver"))
    await announce(admin, deployment_event("dep-9", "agent-9", "staging"))
    promotion = await requester.post(
        "/promotions",
        {
            "agent_id": "agent-9",
            "source_deployment_id": "dep-9",
            "target_gateway_id": "gw-production",
            "target_environment": "production",
        },
    )

    rejected = await approver.post(f"/promotions/{promotion['id']}/reject", {"reason": "Not on a Friday"})

    assert (rejected["status"], rejected["rejection_reason"]) == ("rejected", "Not on a Friday")
    status, problem = await approver.request("POST", f"/promotions/{promotion['id']}/approve", {})
    assert (status, problem["type"]) == (409, problem["type"])
