"""Slots: one executes at a time, the oldest queued is next, and what a later one has overtaken is superseded."""

from datetime import timedelta
from uuid import UUID, uuid4

from schemas import topics
from schemas.vocabulary import DeploymentOutcome, Execution, StatusReason
from tests.integration.promotion.house import ORGANIZATION, START, House, completion, evaluation


async def queue(house: House, count: int) -> list[UUID]:
    """Promotions of one slot, in the order of their creation; the first executes."""
    identifiers = [uuid4() for _ in range(count)]
    for number, identifier in enumerate(identifiers):
        await house.evaluate(evaluation(identifier, agent_id="a", created_at=START + timedelta(seconds=number)))
    return identifiers


async def test_the_next_in_the_queue_starts_when_the_slot_is_free(house: House) -> None:
    first, second, third = await queue(house, 3)
    assert [await house.standing(i) for i in (first, second, third)] == [
        "approved/executing",
        "approved/queued",
        "approved/queued",
    ]

    await house.complete(completion(first, agent_id="a"))

    assert await house.standing(second) == "approved/executing"
    assert await house.standing(third) == "approved/queued"


async def test_a_failed_execution_frees_its_slot_and_says_why(house: House) -> None:
    first, second = await queue(house, 2)

    await house.complete(
        completion(
            first, agent_id="a", status=DeploymentOutcome.FAILED, error="no capacity", error_code=StatusReason.TIMED_OUT
        )
    )

    assert await house.standing(first) == "failed/timed_out"
    assert (await house.promotion(first)).message == "no capacity"
    assert await house.standing(second) == "approved/executing"


async def test_beginning_to_execute_supersedes_older_promotions_that_have_not(house: House) -> None:
    old, held, new, newer = uuid4(), uuid4(), uuid4(), uuid4()
    waiting = {"requires_approval": True, "required_approvers": 1}
    await house.evaluate(evaluation(old, agent_id="a", **waiting))
    await house.evaluate(
        evaluation(held, agent_id="a", execution=Execution.MANUAL, created_at=START + timedelta(seconds=1))
    )
    await house.evaluate(evaluation(newer, agent_id="a", created_at=START + timedelta(seconds=3), **waiting))

    await house.evaluate(evaluation(new, agent_id="a", created_at=START + timedelta(seconds=2)))

    assert await house.standing(new) == "approved/executing"
    assert await house.standing(old) == "rejected/superseded"
    assert await house.standing(held) == "rejected/superseded"
    assert await house.standing(newer) == "pending/awaiting_approval"
    assert str(new) in (await house.promotion(old)).message


async def test_a_batch_with_many_of_one_slot_starts_the_oldest_alone(house: House) -> None:
    identifiers = [uuid4() for _ in range(5)]
    events = [
        evaluation(identifier, agent_id="a", created_at=START + timedelta(seconds=number))
        for number, identifier in enumerate(identifiers)
    ]

    await house.evaluate(*reversed(events))

    assert [await house.standing(identifier) for identifier in identifiers] == [
        "approved/executing",
        *["approved/queued"] * 4,
    ]
    assert len(await house.told(topics.PROMOTION_APPROVED)) == 1


async def test_a_second_request_over_kafka_is_turned_away_and_names_the_first(house: House) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    same = {"agent_id": "a", "source_deployment_id": "dep-1"}
    await house.evaluate(evaluation(first, **same))

    await house.evaluate(evaluation(second, **same), evaluation(third, **same), evaluation())

    for late in (second, third):
        assert await house.story(late) == ["pending/evaluating", "rejected/not_eligible"]
        promotion = await house.promotion(late)
        assert str(first) in promotion.message
        assert promotion.target_gateway_id == "gw-staging"
    await house.complete(completion(first, agent_id="a"))
    after = uuid4()
    await house.evaluate(evaluation(after, **same))
    assert await house.standing(after) == "approved/executing"


async def test_two_equal_requests_in_one_batch_become_one_and_a_refusal(house: House) -> None:
    first, second = uuid4(), uuid4()
    same = {"agent_id": "a", "source_deployment_id": "dep-1"}

    await house.evaluate(evaluation(second, created_at=START + timedelta(seconds=1), **same), evaluation(first, **same))

    assert await house.standing(first) == "approved/executing"
    assert await house.standing(second) == "rejected/not_eligible"


async def test_completions_of_others_are_not_believed(house: House) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier))

    await house.complete(
        completion(identifier, source="/ci/acme"),
        completion(identifier, source="/executor/globex"),
        completion(identifier, organization_id="globex"),
        completion(identifier, gateway_id="gw-other"),
        completion(identifier, agent_id="other"),
        completion(identifier, status=DeploymentOutcome.REMOVED),
        completion(uuid4()),
    )

    assert await house.standing(identifier) == "approved/executing"


async def test_an_evaluation_of_another_organization_is_another_promotion(house: House) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier, requires_approval=True, required_approvers=1))

    await house.evaluate(evaluation(identifier, organization_id="globex", number=2))

    assert await house.standing(identifier) == "pending/awaiting_approval"
    assert await house.standing(identifier, "globex") == "approved/executing"
    assert len({event.id for event in await house.told()}) == 6
    for organization in (ORGANIZATION, "globex"):
        assert await house.broken_link(organization) is None
