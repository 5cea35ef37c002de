"""Where the board puts what is live, under way and gone wrong."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from services.inventory.domain.board import lay_out
from tests.unit.console.examples import NOW, deployment

_PROMOTION = {
    "id": UUID(int=1), "agent_id": "a", "target_environment": "production", "target_gateway_id": "gw-1",
    "status": "pending", "status_reason": "awaiting_approval", "status_message": "", "deployment_version": "2",
    "required_approvers": 1, "approvals": 0, "created_by": "rosa", "created_at": NOW,
}  # fmt: skip


def live(gateway: str = "gw-1", **more: Any) -> dict[str, Any]:
    where = {"agent_id": "a", "environment": "production", "gateway_id": gateway}
    return {**deployment(**where), "deployed_at": NOW - timedelta(days=1), "requested_by": "omar", **more}


def promotion(**more: Any) -> dict[str, Any]:
    return {**_PROMOTION, **more}


def failed(**more: Any) -> dict[str, Any]:
    return promotion(status="failed", status_reason="timed_out", **more)


def test_one_slot_holds_what_is_live_and_what_is_under_way() -> None:
    [agent] = lay_out(["a"], live=[live()], under_way=[promotion()], trouble=[failed()])

    [slot] = agent.slots
    assert slot.live is not None
    assert (slot.live.version, slot.requested_by) == ("2.4.0", "omar")
    assert slot.under_way is not None
    assert slot.trouble is not None


def test_what_went_wrong_before_what_is_live_came_is_over() -> None:
    [agent] = lay_out(["a"], live=[live()], under_way=[], trouble=[failed(created_at=NOW - timedelta(days=2))])

    assert agent.slots[0].trouble is None


def test_a_promotion_without_a_gateway_stands_in_the_only_slot_of_its_environment() -> None:
    asked = promotion(target_gateway_id=None)

    [beside] = lay_out(["a"], live=[live()], under_way=[asked], trouble=[])
    [apart] = lay_out(["a"], live=[live(), live("gw-2")], under_way=[asked], trouble=[])

    assert [slot.gateway_id for slot in beside.slots] == ["gw-1"]
    assert [(slot.gateway_id, slot.under_way is not None) for slot in apart.slots] == [
        (None, True), ("gw-1", False), ("gw-2", False),
    ]  # fmt: skip


def test_an_agent_of_which_nothing_is_known_has_no_slots() -> None:
    [agent] = lay_out(["a"], live=[], under_way=[], trouble=[])

    assert agent.slots == []
