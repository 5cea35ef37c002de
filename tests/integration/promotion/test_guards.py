"""What PostgreSQL refuses by itself, whoever asks: illegal steps, changes of the end, a second in a slot."""

from datetime import date
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from schemas.vocabulary import Execution
from services.platform.database import sqlstate
from tests.integration.promotion.house import House, completion, evaluation

_SET = "UPDATE promotion.promotion SET "


async def refused(house: House, statement: str, **parameters: object) -> str | None:
    with pytest.raises(DBAPIError) as error:
        await house.as_owner(statement, **parameters)
    return sqlstate(error.value)


async def step(house: House, identifier: UUID, status: str, reason: str, *, by: int = 1, also: str = "") -> str | None:
    return await refused(
        house,
        f"{_SET} status = :status, status_reason = :reason, version = version + :by {also} WHERE id = :id",
        status=status,
        reason=reason,
        by=by,
        id=identifier,
    )


async def test_a_pending_promotion_cannot_execute_complete_or_skip_a_version(house: House) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier, requires_approval=True, required_approvers=1))

    ended = ", completed_at = now(), executing_at = now(), executing_version = 1, target_deployment_id = 'x'"
    assert await step(house, identifier, "approved", "executing", also=", executing_at = now()") == "23514"
    assert await step(house, identifier, "completed", "deployed", also=ended) == "23514"
    assert await step(house, identifier, "failed", "timed_out", also=ended) == "23514"
    assert await step(house, identifier, "approved", "queued", by=2) == "23514"
    assert await step(house, identifier, "approved", "queued", by=0) == "23514"
    assert await step(house, identifier, "pending", "queued") == "23514"


async def test_what_executes_can_only_end_and_an_approval_is_never_undone(house: House) -> None:
    held, running = uuid4(), uuid4()
    await house.evaluate(evaluation(held, execution=Execution.MANUAL), evaluation(running))

    ended = ", completed_at = now()"
    assert await step(house, held, "pending", "awaiting_approval") == "23514"
    assert await step(house, held, "rejected", "rejected", also=ended) == "23514"
    assert await step(house, held, "rejected", "not_eligible", also=ended) == "23514"
    for reason in ("cancelled", "expired", "superseded", "rejected"):
        assert await step(house, running, "rejected", reason, also=ended) == "23514"
    assert await step(house, running, "approved", "queued") == "23514"
    assert await step(house, running, "approved", "executing") == "23514"


@pytest.mark.parametrize("standing", ["approved/executing", "approved/queued", "pending/awaiting_approval"])
async def test_retrying_is_shown_and_never_stored(house: House, standing: str) -> None:
    running, queued, waiting = uuid4(), uuid4(), uuid4()
    await house.evaluate(evaluation(running, agent_id="a"))
    await house.evaluate(evaluation(queued, agent_id="a"))
    await house.evaluate(evaluation(waiting, requires_approval=True, required_approvers=1))
    found = {await house.standing(each): each for each in (running, queued, waiting)}

    also = ", executing_at = now(), executing_version = 3"
    assert await step(house, found[standing], "approved", "retrying", also=also) == "23514"


@pytest.mark.parametrize("change", ["status_message = 'x'", "version = version + 1", "due_at = now()"])
async def test_a_terminal_promotion_never_changes(house: House, change: str) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier))
    await house.complete(completion(identifier))

    assert await refused(house, f"{_SET} {change} WHERE id = :id", id=identifier) == "23514"


@pytest.mark.parametrize(
    "change", ["agent_id = 'x'", "created_by = 'x'", "target_gateway_id = 'x'", "created_at = now()"]
)
async def test_what_was_asked_for_never_changes(house: House, change: str) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier, requires_approval=True, required_approvers=1))

    assert await refused(house, f"{_SET} {change} WHERE id = :id", id=identifier) == "23514"


async def test_a_slot_executes_one_and_a_deployment_is_promoted_once_at_a_time(house: House) -> None:
    first, second = uuid4(), uuid4()
    await house.evaluate(evaluation(first, agent_id="a"))
    await house.evaluate(evaluation(second, agent_id="a"))
    assert await house.standing(second) == "approved/queued"

    executing = (
        f"{_SET} status_reason = 'executing', version = version + 1, executing_at = now(), executing_version = 3"
    )
    assert await refused(house, f"{executing} WHERE id = :id", id=second) == "23505"
    assert (
        await refused(
            house,
            "INSERT INTO promotion.promotion (organization_id, id, agent_id, source_deployment_id, target_gateway_id, "
            "target_environment, origin, created_by, created_at, status, status_reason, status_message, version, "
            "changed_at, evaluation_number, approvals, released, expires_at) SELECT organization_id, :id, agent_id, "
            "source_deployment_id, target_gateway_id, target_environment, origin, created_by, created_at, 'pending', "
            "'evaluating', '', 1, now(), 0, 0, false, now() FROM promotion.promotion WHERE id = :first",
            id=uuid4(),
            first=first,
        )
        == "23505"
    )


async def test_promotions_are_never_deleted(house: House) -> None:
    await house.evaluate(evaluation())

    assert await refused(house, "DELETE FROM promotion.promotion") == "23514"


@pytest.mark.parametrize(
    ("version", "status", "reason"),
    [
        (1, "pending", "awaiting_approval"),
        (1, "approved", "executing"),
        (2, "pending", "evaluating"),
        (2, "approved", "executing"),
        (3, "approved", "queued"),
        (3, "approved", "retrying"),
        (3, "completed", "deployed"),
        (4, "approved", "executing"),
    ],
)
async def test_promotions_begin_with_the_steps_that_there_are(
    house: House, version: int, status: str, reason: str
) -> None:
    identifier = uuid4()
    await house.evaluate(evaluation(identifier))
    await house.complete(completion(identifier))

    inserted = await refused(
        house,
        "INSERT INTO promotion.promotion SELECT (jsonb_populate_record(p, jsonb_build_object('id', cast(:id AS text), "
        "'version', cast(:version AS int), 'status', cast(:status AS text), 'status_reason', cast(:reason AS text), "
        "'completed_at', CASE WHEN :status = 'completed' THEN now() END))).* FROM promotion.promotion AS p",
        id=str(uuid4()),
        version=version,
        status=status,
        reason=reason,
    )

    assert inserted == "23514"


async def test_what_begins_in_an_idle_slot_is_stored_once_with_a_history_of_every_step(house: House) -> None:
    identifier = uuid4()

    await house.evaluate(evaluation(identifier))

    assert await house.standing(identifier) == "approved/executing"
    assert await house.story(identifier) == ["pending/evaluating", "approved/queued", "approved/executing"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promotion.history SET actor = 'x'",
        "DELETE FROM promotion.history",
        "TRUNCATE promotion.history",
        "DELETE FROM promotion.promotion",
        "DELETE FROM promotion.vote",
        "DROP TABLE promotion.vote",
        "UPDATE promotion.history_default SET actor = 'x'",
    ],
)
async def test_the_services_role_cannot_rewrite_what_happened(house: House, statement: str) -> None:
    await house.evaluate(evaluation())

    with pytest.raises(DBAPIError) as error:
        async with house.database.begin() as connection:
            await connection.execute(text(statement))

    assert sqlstate(error.value) == "42501"


async def test_a_changed_removed_or_added_entry_breaks_the_chain_where_it_is(house: House) -> None:
    for _ in range(3):
        await house.evaluate(evaluation())
    assert await house.broken_link() is None

    await house.as_owner("ALTER TABLE promotion.history DISABLE TRIGGER history_kept")
    await house.as_owner("UPDATE promotion.history SET actor = 'mallory' WHERE chain_seq = 5")
    assert await house.broken_link() == 5
    await house.as_owner("DELETE FROM promotion.history WHERE chain_seq >= 5")
    assert await house.broken_link() == 5


async def test_a_month_gets_its_partition_once_and_what_is_in_the_default_stays(house: House) -> None:
    make = "SELECT promotion.make_history_partition(cast(:month AS date))"
    assert [row[0] for row in await house.as_owner(make, month=date(2031, 5, 17))] == [True]
    assert [row[0] for row in await house.as_owner(make, month=date(2031, 5, 1))] == [False]
    identifier = uuid4()
    await house.evaluate(evaluation(identifier))
    assert [row[0] for row in await house.as_owner(make, month=date(2026, 3, 1))] == [False]
    assert len(await house.story(identifier)) == 3
