"""Deliveries under leases: shared, inherited, and written by who holds the last one."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications import handlers
from services.notifications.domain.course import Answer, Attempt, Delivery, NoAnswer
from services.notifications.domain.lanes import share_out
from services.notifications.store import leases
from tests.integration.notifications.conftest import NewDesk
from tests.integration.notifications.desk import Clock, Desk
from tests.integration.notifications.receivers import Receiver, hang


async def test_two_processes_share_the_work(desk: Desk, new_desk: NewDesk, receiver: Receiver) -> None:
    second = new_desk()
    await desk.register(receiver.url)
    await desk.happen(30)

    while len(receiver.calls) < 30:
        await desk.work()
        await second.work()

    assert len({call.id for call in receiver.calls}) == len(receiver.calls) == 30


async def test_what_a_process_had_under_way_when_it_died_is_sent_by_another(
    desk: Desk, new_desk: NewDesk, receiver: Receiver, clock: Clock
) -> None:
    await desk.register(receiver.url)
    await desk.happen()
    async with desk.database.begin() as connection:
        claimed = await _claim_and_vanish(desk, connection)
    heir = new_desk()

    await heir.work()
    before_its_lease_ended = len(receiver.calls)
    clock.advance(seconds=60)
    await heir.work()

    assert (len(claimed), before_its_lease_ended, len(receiver.calls)) == (1, 0, 1)


async def test_the_outcome_of_a_lost_lease_changes_nothing(
    desk: Desk, new_desk: NewDesk, receiver: Receiver, clock: Clock
) -> None:
    hook, _ = await desk.register(receiver.url)
    await desk.happen()
    receiver.respond = hang
    await desk.worker.round()
    clock.advance(seconds=60)
    receiver.respond = None
    await new_desk().work()

    await desk.work()

    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.attempts) == ("delivered", 2)
    assert (await desk.hook(hook.id)).health.failures == 0


async def test_what_came_of_an_earlier_lease_is_no_failure_beside_what_came_of_the_last(
    desk: Desk, receiver: Receiver, clock: Clock
) -> None:
    hook, _ = await desk.register(receiver.url)
    await desk.happen()
    async with desk.database.begin() as connection:
        (lost,) = await _claim_and_vanish(desk, connection)
    clock.advance(seconds=60)
    async with desk.database.begin() as connection:
        (held,) = await _claim_and_vanish(desk, connection)
    late = clock.now + timedelta(seconds=1)
    attempts = [Attempt(held, Answer(204), clock.now, clock.now), Attempt(lost, NoAnswer("hung up"), clock.now, late)]

    async with desk.database.begin() as connection:
        await handlers.settle(connection, attempts, now=late, jitter=lambda: 1.0)

    assert (await desk.hook(hook.id)).health.failures == 0


async def test_a_stop_lets_what_is_under_way_be_written(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url)
    await desk.happen()
    await desk.worker.round()

    drain = desk.worker.drain()
    await _drive(desk, drain)

    (delivery,) = await desk.deliveries()
    assert delivery.status == "delivered"


async def _claim_and_vanish(desk: Desk, connection: AsyncConnection) -> list[Delivery]:
    found = await leases.hooks_with_work(connection, now=desk.clock())
    return await leases.claim(
        connection, share_out(found, {}, first=0), now=desk.clock(), lease_until=desk.clock() + timedelta(seconds=30)
    )


async def _drive(desk: Desk, drain: Coroutine[object, object, None]) -> None:
    task = asyncio.create_task(drain)
    while not task.done():
        await desk.worker.round()
        await asyncio.sleep(0.01)
    await task
