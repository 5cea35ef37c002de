"""From the rules' evaluation to the end: what is stored, told and recorded, once, in any order and repetition."""

from datetime import timedelta
from uuid import uuid4

from schemas import topics
from schemas.cloudevents import encode
from schemas.events import PromotionApproved
from tests.integration.promotion.house import House, completion, evaluation


async def test_a_free_promotion_runs_from_its_evaluation_to_its_deployment(house: House) -> None:
    identifier = uuid4()

    await house.evaluate(evaluation(identifier))
    await house.complete(completion(identifier))

    assert await house.story(identifier) == [
        "pending/evaluating",
        "approved/queued",
        "approved/executing",
        "completed/deployed",
    ]
    promotion = await house.promotion(identifier)
    assert promotion.target_deployment_id == str(identifier)
    assert promotion.completed_at == house.now
    assert await house.broken_link() is None


async def test_every_step_is_told_once_and_the_order_to_execute_names_the_slot(house: House) -> None:
    identifier = uuid4()

    await house.evaluate(evaluation(identifier))

    told = await house.told()
    assert [event.topic for event in told] == [
        topics.PROMOTION_CHANGED,
        topics.PROMOTION_CHANGED,
        topics.PROMOTION_CHANGED,
        topics.PROMOTION_APPROVED,
    ]
    order = told[-1]
    assert isinstance(order.data, PromotionApproved)
    assert order.key == f"acme/agent-{identifier}/gw-staging"
    assert order.data.version == 3
    assert order.extensions["correlationid"] == str(identifier)
    assert len({event.id for event in told}) == 4
    assert encode(order).value is not None


async def test_repeated_and_stale_evaluations_and_completions_change_nothing(house: House) -> None:
    identifier = uuid4()
    second = evaluation(identifier, number=2, requires_approval=True, required_approvers=1)
    first = evaluation(identifier, number=1)
    await house.evaluate(second, second)
    await house.forget_told()

    await house.evaluate(first, second)

    assert await house.story(identifier) == ["pending/evaluating", "pending/awaiting_approval"]
    assert await house.told() == []

    done = uuid4()
    await house.evaluate(evaluation(done))
    await house.complete(completion(done), completion(done))
    await house.forget_told()
    await house.complete(completion(done))
    await house.evaluate(evaluation(done), evaluation(done, number=7))
    assert await house.standing(done) == "completed/deployed"
    assert await house.told() == []


async def test_a_completion_before_its_evaluation_is_ignored_and_its_repeat_counts(house: House) -> None:
    identifier = uuid4()

    await house.complete(completion(identifier))
    await house.evaluate(evaluation(identifier))
    assert await house.standing(identifier) == "approved/executing"
    house.pass_time(timedelta(seconds=1))
    await house.complete(completion(identifier))

    assert await house.standing(identifier) == "completed/deployed"
