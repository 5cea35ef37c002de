"""What happens by itself: asking again, expiry, sweeping, partitions; all from PostgreSQL alone."""

from datetime import timedelta
from uuid import uuid4

import pytest

from schemas import topics
from schemas.cloudevents import encode
from services.platform.messaging.consumer import Unprocessable
from services.promotion import upkeep
from services.promotion.app import loops
from tests.integration.promotion.api import Api, announce, identifier_of
from tests.integration.promotion.house import REDRIVE_AFTER, House, completion, evaluation


async def redrive(house: House) -> int:
    async with house.database.begin() as connection:
        return await upkeep.redrive(connection, house.outbox, now=house.now, redrive_after=REDRIVE_AFTER)


async def test_what_stays_unanswered_is_sent_again_byte_for_byte_at_growing_intervals(api: Api) -> None:
    house = api.house
    await announce(house, "dep-2", agent_id="agent-2")
    await api.create(headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    executing = uuid4()
    await house.evaluate(evaluation(executing))
    first = {
        topic: encode((await house.told(topic))[-1])
        for topic in (topics.PROMOTION_REQUESTED, topics.PROMOTION_APPROVED)
    }
    await house.forget_told()

    assert await redrive(house) == 0
    sent = []
    for _ in range(24):
        house.pass_time(timedelta(seconds=5))
        sent.append(await redrive(house))

    assert sent[:15] == [2, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    again = await house.told()
    assert {event.topic for event in again} == {topics.PROMOTION_REQUESTED, topics.PROMOTION_APPROVED}
    assert all(encode(event) == first[event.topic] for event in again)


async def test_what_is_answered_is_not_sent_again(house: House) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier), evaluation(requires_approval=True, required_approvers=1))
    await house.complete(completion(identifier))
    house.pass_time(timedelta(hours=1))

    assert await redrive(house) == 0


async def test_what_has_not_begun_in_time_expires_and_what_executes_does_not(house: House) -> None:
    waiting, executing = uuid4(), uuid4()
    await house.evaluate(
        evaluation(waiting, requires_approval=True, required_approvers=1, expires_after_seconds=60),
        evaluation(executing, expires_after_seconds=60),
    )
    house.pass_time(timedelta(seconds=59))
    async with house.work() as work:
        assert await upkeep.expire(work) == 0
    house.pass_time(timedelta(seconds=1))

    async with house.work() as work:
        assert await upkeep.expire(work) == 1

    assert await house.story(waiting) == ["pending/evaluating", "pending/awaiting_approval", "rejected/expired"]
    assert await house.standing(executing) == "approved/executing"
    async with house.work() as work:
        assert await upkeep.expire(work) == 0


async def test_a_queued_promotion_in_a_free_slot_is_swept_up(house: House) -> None:
    first, second = uuid4(), uuid4()
    await house.evaluate(evaluation(first, agent_id="a"))
    await house.evaluate(evaluation(second, agent_id="a"))
    async with house.work() as work:
        assert await upkeep.sweep(work) == 0
    # As if the completion's dispatch had never happened.
    await house.as_owner(
        "UPDATE promotion.promotion SET status = 'completed', status_reason = 'deployed', version = version + 1, "
        "target_deployment_id = 'x', completed_at = now() WHERE id = :id",
        id=first,
    )

    async with house.work() as work:
        assert await upkeep.sweep(work) == 1

    assert await house.standing(second) == "approved/executing"


async def test_a_queued_promotion_that_expired_makes_room_for_the_next(house: House) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    await house.evaluate(evaluation(first, agent_id="a"))
    await house.evaluate(evaluation(second, agent_id="a", expires_after_seconds=60))
    later = house.now + timedelta(seconds=1)
    await house.evaluate(evaluation(third, agent_id="a", created_at=later))
    house.pass_time(timedelta(minutes=2))

    await house.complete(completion(first, agent_id="a"))

    assert await house.standing(second) == "rejected/expired"
    assert await house.standing(third) == "approved/executing"


async def test_an_evaluation_that_contradicts_its_promotion_is_parked_and_decides_nothing(api: Api) -> None:
    identifier = identifier_of(await api.create())

    for wrong in ({"agent_id": "mallory"}, {"target_gateway_id": "gw-mallory"}, {"target_environment": "production"}):
        whole = {"agent_id": "agent-1", "source_deployment_id": "dep-1"} | wrong
        with pytest.raises(Unprocessable) as refusal:
            await api.house.evaluate(evaluation(identifier, **whole))
        assert refusal.value.code == "contradicts_promotion"

    assert await api.house.standing(identifier) == "pending/evaluating"


async def test_the_loops_look_by_the_clock_whoever_wakes_them(house: House) -> None:
    for loop in loops(house.database, house.outbox, clock=house.clock, redrive_after=REDRIVE_AFTER):
        first = await loop.step()
        again = await loop.step()
        assert first == pytest.approx(again, abs=0.5)
        assert again < first


@pytest.mark.parametrize("jump", [timedelta(hours=1), -timedelta(hours=1)])
async def test_a_clock_that_jumps_an_hour_sends_again_once_and_goes_on_when_it_is_right_again(
    house: House, jump: timedelta
) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier))
    await house.forget_told()

    house.pass_time(jump)
    while_wrong = [await redrive(house), await redrive(house)]
    house.pass_time(-jump)
    while_right = []
    for _ in range(16):
        house.pass_time(timedelta(seconds=300))
        while_right.append(await redrive(house))

    assert while_wrong == ([1, 0] if jump > timedelta() else [0, 0])
    assert sum(while_right) >= 1
    assert len({encode(event) for event in await house.told()}) == 1
    assert await house.standing(identifier) == "approved/executing"
