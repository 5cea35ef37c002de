"""Which changes a webhook is told of."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.vocabulary import PromotionStatus, StatusReason
from schemas.webhooks import WebhookEvent, WebhookFilter, WebhookStatus
from services.notifications.domain.hook import fits
from tests.unit.notifications.samples import NOW, change, hook


def kept(**asked: Any) -> dict[str, Any]:
    return WebhookFilter(**asked).model_dump(mode="json", exclude_none=True)


def test_an_empty_filter_fits_everything() -> None:
    assert fits({}, change())


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ({"events": [WebhookEvent.PROMOTION_CHANGED]}, {"events": [WebhookEvent.TEST]}),
        ({"statuses": [PromotionStatus.PENDING]}, {"statuses": [PromotionStatus.COMPLETED, PromotionStatus.FAILED]}),
        ({"reasons": [StatusReason.AWAITING_APPROVAL]}, {"reasons": [StatusReason.EVALUATING]}),
        ({"target_environments": ["staging", "production"]}, {"target_environments": ["staging"]}),
        ({"agent_ids": ["agent-1"]}, {"agent_ids": ["agent-2"]}),
        ({"break_glass": False}, {"break_glass": True}),
    ],
)
def test_each_part_fits_what_it_names_and_nothing_else(asked: dict[str, Any], other: dict[str, Any]) -> None:
    assert fits(kept(**asked), change())
    assert not fits(kept(**other), change())


def test_all_parts_have_to_fit() -> None:
    wanted = kept(reasons=[StatusReason.AWAITING_APPROVAL], target_environments=["production"])

    assert fits(wanted, change())
    assert not fits(wanted, change(target_environment="staging"))
    assert not fits(wanted, change(status_reason=StatusReason.EVALUATING))


def test_broken_glass_can_be_asked_for_alone() -> None:
    assert fits(kept(break_glass=True), change(break_glass=True))


def test_what_happened_before_a_webhook_was_active_is_no_news_to_it() -> None:
    new = hook(active_since=NOW)

    assert new.wants(change(at=NOW))
    assert not new.wants(change(at=NOW - timedelta(seconds=1)))


def test_a_disabled_webhook_wants_nothing() -> None:
    assert not hook(status=WebhookStatus.DISABLED).wants(change())


@pytest.mark.parametrize(
    "newer", [{"colours": ["red"]}, {"statuses": ["paused"]}, {"break_glass": ["twice"]}, {"reasons": {"not": []}}]
)
def test_what_only_a_newer_version_can_tell_fits_nothing(newer: dict[str, Any]) -> None:
    assert not fits(kept(agent_ids=["agent-1"]) | newer, change())


def test_what_is_known_beside_a_newer_value_still_fits() -> None:
    assert fits({"statuses": ["paused", "pending"]}, change())


@pytest.mark.parametrize("wrong", [{"statuses": []}, {"statuses": ["done"]}, {"agents": ["a"]}, {"agent_ids": "a"}])
def test_a_filter_that_would_never_or_not_as_meant_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebhookFilter.model_validate(wrong)
