"""What Kafka did not bring is found in PostgreSQL, and what it brought is not told twice."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from schemas.cloudevents import decode
from schemas.events import Event, PromotionChanged
from schemas.topics import PROMOTION_CHANGED
from services.notifications.store import history
from services.notifications.upkeep import LOOK_SECONDS, PATIENCE
from services.platform.messaging.outbox import load_headers
from tests.integration.notifications.conftest import NewDesk
from tests.integration.notifications.desk import Clock, Desk
from tests.integration.promotion.house import House, completion, evaluation


@pytest.fixture
async def house(database: str, clock: Clock) -> AsyncIterator[House]:
    house = House(database)
    clock.now = house.now
    yield house
    await house.close()


async def published(house: House) -> list[PromotionChanged]:
    """The changes that wait in the outbox, as Kafka would bring them."""
    rows = await house.as_owner(
        "SELECT topic, key, headers, value FROM promotion.outbox WHERE topic = :topic ORDER BY id",
        topic=PROMOTION_CHANGED,
    )
    events: list[Event] = [
        decode(topic=row.topic, key=row.key, headers=load_headers(row.headers), value=row.value) for row in rows
    ]
    return [event.data for event in events if isinstance(event.data, PromotionChanged)]


async def _later(desk: Desk) -> None:
    desk.clock.advance(seconds=PATIENCE.total_seconds() + 1)
    await desk.upkeep.catch_up()


async def test_what_kafka_lost_is_told_word_for_word(desk: Desk, house: House) -> None:
    await desk.register("http://127.0.0.1:1/hook")
    promotion = uuid4()
    await house.evaluate(evaluation(promotion))
    await house.complete(completion(promotion))

    await _later(desk)

    told = [json.loads(delivery.body)["data"] for delivery in await desk.deliveries()]
    expected = [change.model_dump(mode="json") for change in await published(house)]
    assert expected[-1]["status"] == "completed"
    assert sorted(told, key=lambda data: data["version"]) == expected


async def test_what_kafka_brought_is_not_told_twice_whoever_comes_first(desk: Desk, house: House) -> None:
    await desk.register("http://127.0.0.1:1/hook")
    await house.evaluate(evaluation(uuid4()))
    changes = await published(house)

    first = await desk.hear(*changes[:1])
    await _later(desk)
    second = await desk.hear(*changes)

    assert (first, second) == (1, 0)
    assert len(await desk.deliveries()) == len(changes)


async def test_kafka_gets_its_time(desk: Desk, house: House) -> None:
    await desk.register("http://127.0.0.1:1/hook")
    await house.evaluate(evaluation(uuid4()))

    desk.clock.advance(seconds=PATIENCE.total_seconds() - 1)
    await desk.upkeep.catch_up()

    assert await desk.deliveries() == []


async def test_a_new_webhook_hears_nothing_of_the_past(desk: Desk, house: House) -> None:
    await house.evaluate(evaluation(uuid4()))
    desk.clock.advance(seconds=1)
    await desk.register("http://127.0.0.1:1/hook")

    await _later(desk)
    told = await desk.hear(*await published(house))

    assert told == 0
    assert await desk.deliveries() == []


async def test_old_records_that_come_again_are_no_news(desk: Desk, house: House, clock: Clock) -> None:
    await desk.register("http://127.0.0.1:1/hook")
    await house.evaluate(evaluation(uuid4()))
    changes = await published(house)

    clock.advance(hours=25)

    assert await desk.hear(*changes) == 0


async def test_much_is_looked_at_in_small_parts_without_a_rest(
    desk: Desk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 3)
    await desk.register("http://127.0.0.1:1/hook")
    await desk.register("http://127.0.0.1:1/hook", organization="other")
    for _ in range(3):
        await house.evaluate(evaluation(uuid4()))
    happened = len(await published(house))
    desk.clock.advance(seconds=PATIENCE.total_seconds() + 1)

    told, rests = [], []
    for _ in range(happened + 1):
        rests.append(await desk.upkeep.catch_up())
        told.append(len(await desk.deliveries()))

    # Of three, two organizations look at one each.
    assert told == [*range(1, happened + 1), happened]
    assert rests == [0.0] * happened + [LOOK_SECONDS]


async def test_two_processes_look_at_each_change_once(desk: Desk, new_desk: NewDesk, house: House) -> None:
    second = new_desk()
    await desk.register("http://127.0.0.1:1/hook")
    for _ in range(5):
        await house.evaluate(evaluation(uuid4()))

    await _later(desk)
    await second.upkeep.catch_up()

    deliveries = await desk.deliveries()
    assert len({delivery.event_id for delivery in deliveries}) == len(deliveries) == len(await published(house))


async def test_what_is_past_its_deadline_is_given_up_and_old_things_are_forgotten(desk: Desk, clock: Clock) -> None:
    await desk.register("http://127.0.0.1:1/hook")
    await desk.happen()

    clock.advance(hours=25)
    await desk.upkeep.sweep()
    (given_up,) = await desk.deliveries()
    clock.advance(days=31)
    await desk.upkeep.sweep()

    assert given_up.status == "failed"
    assert "deadline" in given_up.last_error
    assert await desk.deliveries() == []


async def test_a_deleted_webhook_leaves_nothing_behind(desk: Desk, clock: Clock) -> None:
    hook, _ = await desk.register("http://127.0.0.1:1/hook")
    await desk.happen(3)
    await desk.rows(f"UPDATE notifications.webhook SET deleted_at = '{clock.now}' WHERE id = '{hook.id}' RETURNING id")

    clock.advance(minutes=6)
    await desk.upkeep.sweep()
    await desk.upkeep.sweep()

    assert await desk.deliveries() == []
    assert await desk.rows("SELECT id FROM notifications.webhook") == []


async def test_one_for_which_too_much_waits_is_disabled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notifications.handlers.MOST_WAITING", 5)
    drowning, _ = await desk.register("http://127.0.0.1:1/hook")
    await desk.happen(6)
    well, _ = await desk.register("http://127.0.0.1:2/hook")
    await desk.happen(1, at=desk.clock() + timedelta(seconds=1))

    await desk.upkeep.sweep()

    assert (await desk.hook(drowning.id)).status_reason == "more than 5 deliveries wait for it"
    assert (await desk.hook(well.id)).status_reason is None
