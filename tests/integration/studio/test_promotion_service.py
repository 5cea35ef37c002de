"""The Python door on a running stack, with what the ready file gives and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from studio.problems import Conflict, Forbidden, Invalid, NotFound, PromotionNotApproved, PromotionRejected
from studio.services.promotion_service import PromotionService
from tests.integration.studio.running import RunningStack, until

Wish = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def service(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> PromotionService:
    for name, value in stack.ready["environment"].items():
        monkeypatch.setenv(name, value)
    return PromotionService()


@pytest.fixture
def wish(stack: RunningStack) -> Wish:
    """Makes what to create: a deployment that was announced, to the next environment."""

    def announce(deployment_id: str, agent_id: str, source: str) -> None:
        stack.announce(deployment_id, agent_id=agent_id, environment=source)
        until(lambda: stack.knows(deployment_id))

    async def make(*, source: str = "staging", target: str = "production") -> dict[str, Any]:
        deployment_id, agent_id = f"dep-{uuid4().hex[:8]}", f"agent-{uuid4().hex[:8]}"
        await asyncio.to_thread(announce, deployment_id, agent_id, source)
        return {
            "organization_id": "acme",
            "agent_id": agent_id,
            "source_deployment_id": deployment_id,
            "target_gateway_id": f"gw-{target}",
            "target_environment": target,
            "created_by": "user-1",
        }

    return make


async def test_create_approve_execute_gives_the_deployment(service: PromotionService, wish: Wish) -> None:
    promotion = await service.create(await wish())
    promotion = await service.approve(promotion["id"], "user-2")
    deployment = await service.execute(promotion["id"])

    assert deployment["status"] == "active"
    assert (deployment["environment"], deployment["gateway_id"]) == ("production", "gw-production")
    ended = await service.get(promotion["id"])
    assert (ended["status"], ended["created_by"], ended["approved_by"]) == ("completed", "user-1", "user-2")


async def test_executing_again_gives_the_same_deployment(service: PromotionService, wish: Wish) -> None:
    promotion = await service.create(await wish(source="development", target="staging"))

    first = await service.execute(promotion["id"])
    second = await service.execute(promotion["id"])

    assert first["deployment_id"] == second["deployment_id"]


async def test_nobody_approves_what_they_asked_for(service: PromotionService, wish: Wish) -> None:
    promotion = await service.create(await wish())

    with pytest.raises(Forbidden):
        await service.approve(promotion["id"], "user-1")


async def test_a_rejected_promotion_cannot_be_approved_or_executed(service: PromotionService, wish: Wish) -> None:
    promotion = await service.create(await wish())
    rejected = await service.reject(promotion["id"], "user-2", "not on a Friday")

    assert (rejected["status"], rejected["rejection_reason"]) == ("rejected", "not on a Friday")
    with pytest.raises(Conflict):
        await service.approve(promotion["id"], "user-3")
    with pytest.raises(PromotionRejected):
        await service.execute(promotion["id"])


async def test_what_waits_for_approval_is_not_executed(service: PromotionService, wish: Wish) -> None:
    promotion = await service.create(await wish())

    with pytest.raises(PromotionNotApproved, match="approval"):
        await service.execute(promotion["id"])


async def test_a_repeat_under_the_same_key_gives_the_first(service: PromotionService, wish: Wish) -> None:
    wanted, key = await wish(), uuid4().hex

    first = await service.create(wanted, idempotency_key=key)
    second = await service.create(wanted, idempotency_key=key)

    assert first["id"] == second["id"]


async def test_an_unknown_deployment_is_refused_by_name(service: PromotionService, wish: Wish) -> None:
    with pytest.raises(Invalid, match="dep-nowhere"):
        await service.create((await wish()) | {"source_deployment_id": "dep-nowhere"})


async def test_another_organization_is_refused(service: PromotionService, wish: Wish) -> None:
    with pytest.raises((Invalid, Forbidden)):
        await service.create((await wish()) | {"organization_id": "globex"})


async def test_whether_a_rule_would_promote_is_answered_for_known_deployments(
    service: PromotionService, wish: Wish
) -> None:
    wanted = await wish()

    assert await service.check_auto_promotion(wanted["source_deployment_id"]) is False
    with pytest.raises(NotFound):
        await service.check_auto_promotion("dep-nowhere")
