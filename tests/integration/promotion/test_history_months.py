"""The history across the end of a month: partitions by the month of creation, one chain, no gap, nothing rewritten."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from services.platform.database import sqlstate
from services.promotion import upkeep
from tests.integration.promotion.house import House, completion, evaluation

LAST_SECONDS_OF_MARCH = datetime(2031, 3, 31, 23, 59, 50, tzinfo=UTC)


async def keep_house(house: House) -> None:
    async with house.database.begin() as connection:
        await upkeep.make_partitions(connection, now=house.now)


async def across_the_boundary(house: House) -> tuple[UUID, UUID]:
    """Create one promotion in March and one in April; both end in April, the earlier one last."""
    march, april = uuid4(), uuid4()
    house.now = LAST_SECONDS_OF_MARCH
    await keep_house(house)
    await house.evaluate(evaluation(march, created_at=house.now, evaluated_at=house.now))
    house.pass_time(timedelta(seconds=20))
    await house.evaluate(evaluation(april, created_at=house.now, evaluated_at=house.now))
    await house.complete(completion(april, deployed_at=house.now))
    await keep_house(house)
    await house.complete(completion(march, deployed_at=house.now))
    return march, april


async def test_a_promotion_keeps_one_gapless_history_in_the_month_in_which_it_was_created(house: House) -> None:
    march, april = await across_the_boundary(house)

    partitions = await house.as_owner(
        "SELECT DISTINCT promotion_id, tableoid::regclass::text AS name FROM promotion.history"
    )

    assert {row.promotion_id: row.name for row in partitions} == {
        march: "promotion.history_2031_03",
        april: "promotion.history_2031_04",
    }
    for promotion in (march, april):
        assert (await house.story(promotion))[-1] == "completed/deployed"


async def test_the_chain_verifies_from_one_month_into_the_next(house: House) -> None:
    await across_the_boundary(house)

    assert await house.broken_link() is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promotion.history_2031_03 SET actor = 'mallory'",
        "DELETE FROM promotion.history_2031_03",
        "UPDATE promotion.history SET promotion_month = '2031-04-01' WHERE promotion_month = '2031-03-01'",
        "INSERT INTO promotion.history SELECT * FROM promotion.history WHERE promotion_month = '2031-03-01'",
    ],
)
async def test_not_even_the_owner_changes_moves_or_repeats_an_entry_of_a_month(house: House, statement: str) -> None:
    await across_the_boundary(house)

    with pytest.raises(DBAPIError) as refused:
        await house.as_owner(statement)

    assert sqlstate(refused.value) in {"23514", "23505"}
    assert await house.broken_link() is None


async def test_without_a_partition_made_ahead_nothing_is_lost(house: House) -> None:
    identifier = uuid4()
    house.now = LAST_SECONDS_OF_MARCH + timedelta(days=400)

    await house.evaluate(evaluation(identifier, created_at=house.now, evaluated_at=house.now))
    await keep_house(house)
    await house.complete(completion(identifier, deployed_at=house.now))

    assert (await house.story(identifier))[-1] == "completed/deployed"
    assert await house.broken_link() is None
