"""Webhooks are told of what they asked for, signed, once, and again until they take it."""

import json
import time
from datetime import timedelta

from schemas.vocabulary import StatusReason
from schemas.webhooks import WebhookStatus
from services.notifications import commands, handlers
from services.notifications.domain.lanes import CONCURRENCY
from services.notifications.domain.message import change_id
from services.notifications.sealing import new_secret
from tests.integration.notifications.desk import DEADLINE, ORGANIZATION, TIMEOUT_SECONDS, Clock, Desk
from tests.integration.notifications.receivers import Receiver, hang
from tests.unit.notifications.samples import change


async def test_a_change_is_told_once_signed_under_the_events_own_id(desk: Desk, receiver: Receiver) -> None:
    _, secret = await desk.register(receiver.url)
    (told,) = await desk.happen()

    await desk.work()
    await desk.hear(told, told)
    await desk.work()

    (call,) = receiver.calls
    assert call.is_signed_with(secret)
    assert not call.is_signed_with(new_secret())
    assert call.id == change_id(told)
    assert json.loads(call.body)["data"]["promotion_id"] == str(told.promotion_id)
    assert call.headers["Content-Type"] == "application/json"
    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.attempts, delivery.last_status) == ("delivered", 1, 204)


async def test_only_what_was_asked_for_is_told(desk: Desk, receiver: Receiver, other: Receiver) -> None:
    await desk.register(receiver.url, reasons=[StatusReason.AWAITING_APPROVAL], target_environments=["production"])
    await desk.register(other.url)

    await desk.happen(status_reason=StatusReason.EVALUATING)
    (waits,) = await desk.happen(status_reason=StatusReason.AWAITING_APPROVAL)
    await desk.happen(status_reason=StatusReason.AWAITING_APPROVAL, target_environment="staging")
    await desk.work()

    assert [call.id for call in receiver.calls] == [change_id(waits)]
    assert len(other.calls) == 3


async def test_a_filter_of_a_newer_version_keeps_its_own_webhook_silent_and_nobody_else(
    desk: Desk, receiver: Receiver, other: Receiver
) -> None:
    newer, _ = await desk.register(receiver.url, agent_ids=["agent-1"])
    await desk.register(other.url)
    await desk.rows(
        """UPDATE notifications.webhook SET filter = '{"agent_ids": ["agent-1"], "colours": ["red"]}' """
        f"WHERE id = '{newer.id}' RETURNING 1"
    )

    await desk.happen()
    await desk.work()
    await desk.rotate(newer, overlap=timedelta(hours=1))

    assert (len(receiver.calls), len(other.calls)) == (0, 1)
    assert (await desk.hook(newer.id)).filter == {"agent_ids": ["agent-1"], "colours": ["red"]}


async def test_another_organizations_webhook_hears_nothing(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url, organization="globex")

    await desk.happen()
    await desk.work()

    assert receiver.calls == []


async def test_what_was_not_taken_is_sent_again_as_it_was(desk: Desk, receiver: Receiver, clock: Clock) -> None:
    _, secret = await desk.register(receiver.url)
    receiver.status = 503
    await desk.happen()
    await desk.work()

    receiver.status = 200
    clock.advance(seconds=4)
    await desk.work()
    too_early = len(receiver.calls)
    clock.advance(seconds=1)
    await desk.work()

    first, second = receiver.calls
    assert too_early == 1
    assert (first.id, first.body) == (second.id, second.body)
    assert second.headers["webhook-timestamp"] > first.headers["webhook-timestamp"]
    assert second.is_signed_with(secret)
    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("delivered", 2, None)


async def test_during_a_rotation_both_secrets_sign_and_afterwards_the_new_one_alone(
    desk: Desk, receiver: Receiver, clock: Clock
) -> None:
    hook, old = await desk.register(receiver.url)
    new = await desk.rotate(hook, overlap=timedelta(hours=1))

    await desk.happen()
    await desk.work()
    clock.advance(hours=1)
    await desk.happen()
    await desk.work()

    during, after = receiver.calls
    assert (during.is_signed_with(old), during.is_signed_with(new)) == (True, True)
    assert (after.is_signed_with(old), after.is_signed_with(new)) == (False, True)


async def test_each_secret_signs_until_its_own_time_is_over_however_many_came_after_it(
    desk: Desk, receiver: Receiver, clock: Clock
) -> None:
    hook, first = await desk.register(receiver.url)
    second = await desk.rotate(hook, overlap=timedelta(hours=3))
    third = await desk.rotate(hook, overlap=timedelta(hours=1))
    fourth = await desk.rotate(hook, overlap=timedelta(hours=2))

    for _ in range(4):
        await desk.happen()
        await desk.work()
        clock.advance(hours=1)

    secrets = (first, second, third, fourth)
    assert [[call.is_signed_with(secret) for secret in secrets] for call in receiver.calls] == [
        [True, True, True, True],
        [True, False, True, True],
        [True, False, False, True],
        [False, False, False, True],
    ]


async def test_a_rotation_without_overlap_ends_every_old_secret(desk: Desk, receiver: Receiver) -> None:
    hook, first = await desk.register(receiver.url)
    second = await desk.rotate(hook, overlap=timedelta(hours=1))
    third = await desk.rotate(hook, overlap=timedelta())

    await desk.happen()
    await desk.work()

    (call,) = receiver.calls
    assert [call.is_signed_with(secret) for secret in (first, second, third)] == [False, False, True]


async def test_one_that_hangs_holds_nobody_else_back(desk: Desk, receiver: Receiver, other: Receiver) -> None:
    await desk.register(receiver.url)
    await desk.register(other.url)
    receiver.respond = hang
    await desk.happen(40)
    began = time.monotonic()

    for _ in range(12):
        await desk.worker.round()
        # Only the receiver that answers wakes the worker so early.
        await desk.worker.wake.wait()
        desk.worker.wake.clear()
        if len(other.calls) == 40:
            break
    hanging, passed_seconds = len(receiver.calls), time.monotonic() - began
    await desk.work()

    # On a busy machine some of those that hang are given up meanwhile, and others take their place.
    assert hanging <= CONCURRENCY * (1 + passed_seconds // TIMEOUT_SECONDS)
    assert len(other.calls) == 40


async def test_one_that_keeps_failing_is_tried_one_at_a_time_with_rests(
    desk: Desk, receiver: Receiver, clock: Clock
) -> None:
    hook, _ = await desk.register(receiver.url)
    receiver.status = 500
    await desk.happen(50)

    await desk.work()
    at_once = len(receiver.calls)
    await desk.work_on(minutes=60)

    assert at_once <= 16
    assert len(receiver.calls) < 40
    resting = (await desk.hook(hook.id)).health
    assert resting.rests_until is not None


async def test_when_it_is_back_everything_comes_at_once(desk: Desk, receiver: Receiver, clock: Clock) -> None:
    await desk.register(receiver.url)
    receiver.status = 500
    await desk.happen(20)
    await desk.work_on(minutes=30)

    receiver.status = 200
    await desk.work_on(minutes=6)
    await desk.work()
    await desk.work()

    assert {delivery.status for delivery in await desk.deliveries()} == {"delivered"}


async def test_one_that_never_takes_anything_is_disabled_with_the_reason(
    desk: Desk, receiver: Receiver, clock: Clock
) -> None:
    hook, _ = await desk.register(receiver.url)
    receiver.status = 500
    for _ in range(4):
        await desk.happen()
        await desk.work_on(minutes=24 * 60, step_seconds=1800)

    disabled = await desk.hook(hook.id)

    assert disabled.status is WebhookStatus.DISABLED
    assert "nothing was taken since 2030-01-01T12" in (disabled.status_reason or "")
    assert "500" in (disabled.status_reason or "")
    assert await desk.hear(change(at=clock())) == 0


async def test_one_that_is_gone_is_disabled_at_once_as_another_version_of_itself(
    desk: Desk, receiver: Receiver
) -> None:
    hook, _ = await desk.register(receiver.url)
    receiver.status = 410
    await desk.happen(2)

    await desk.work()

    gone = await desk.hook(hook.id)
    assert (gone.status, gone.version) == (WebhookStatus.DISABLED, hook.version + 1)


async def test_at_the_deadline_it_is_tried_for_the_last_time(desk: Desk, receiver: Receiver, clock: Clock) -> None:
    await desk.register(receiver.url)
    receiver.status = 500
    await desk.happen()
    await desk.work()

    clock.advance(seconds=DEADLINE.total_seconds())
    await desk.work()
    clock.advance(hours=2)
    await desk.work()

    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.attempts) == ("failed", 2)
    assert delivery.last_error == "the answer is 500"


async def test_a_delivery_that_is_asked_for_again_goes_out_under_the_same_id(
    desk: Desk, receiver: Receiver, clock: Clock
) -> None:
    hook, _ = await desk.register(receiver.url)
    (told,) = await desk.happen()
    await desk.work()

    async with desk.database.begin() as connection:
        again = await commands.redeliver(
            connection, organization_id=ORGANIZATION, webhook_id=hook.id, now=clock(), deadline_at=clock() + DEADLINE,
            delivery_id=handlers.delivery_id(hook.id, change_id(told)),
        )  # fmt: skip
    await desk.work()

    assert again is not None
    assert [call.id for call in receiver.calls] == [change_id(told)] * 2
