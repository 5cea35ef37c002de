"""Figures over time: the same whether counted or not, whoever counts, and whatever comes late."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.promotion import statistics
from services.promotion.statistics import Figures
from tests.integration.promotion.copies import MANY, multiply
from tests.integration.promotion.house import ORGANIZATION, START, House, completion, evaluation
from tests.integration.rows_read import rows_read

HOUR = timedelta(hours=1)


async def finish(house: House, *, asked: datetime, done: datetime, **more: Any) -> UUID:
    identifier = uuid4()
    house.now = asked
    await house.evaluate(evaluation(identifier, created_at=asked, evaluated_at=asked, **more))
    house.now = done
    await house.complete(completion(identifier, deployed_at=done))
    return identifier


async def figures(house: House, **more: Any) -> Mapping[date, Figures]:
    first = datetime.combine(START.date() - timedelta(days=10), time(), UTC)
    scope: dict[str, Any] = {"first": first, "until": house.now + HOUR, "environment": None, **more}
    async with house.database.begin() as connection:
        return await statistics.by_day(connection, ORGANIZATION, **scope)


async def count(house: House) -> int:
    """Count everything that is over; give how many steps it took."""
    for steps in range(200):
        async with house.database.begin() as connection:
            if not await statistics.count(connection, now=house.now):
                return steps
    raise AssertionError("counting comes to no end")


async def spans(house: House) -> list[int]:
    return [row.hours for row in await house.as_owner("SELECT DISTINCT hours FROM promotion.tally ORDER BY hours")]


async def test_what_is_counted_is_what_was_there_to_count(house: House) -> None:
    await finish(house, asked=START, done=START + timedelta(minutes=10))
    await finish(house, asked=START + HOUR, done=START + 3 * HOUR)
    await finish(house, asked=START + HOUR, done=START + 26 * HOUR)
    before = await figures(house)

    await count(house)

    assert await figures(house) == before
    first, second = START.date(), START.date() + timedelta(days=1)
    assert (before[first].times["requested"], before[first].times["completed"]) == (3, 2)
    assert (before[second].times["requested"], before[second].times["completed"]) == (0, 1)
    assert before[first].median_seconds("completed") == pytest.approx(600, rel=0.006)
    assert before[second].median_seconds("completed") == pytest.approx(25 * 3600, rel=0.006)


async def test_half_minutes_are_counted_when_they_are_over_wherever_something_happened(house: House) -> None:
    async def counted() -> list[tuple[str, int]]:
        rows = await house.as_owner("SELECT since, what, times FROM promotion.tally ORDER BY since, what")
        return [(f"{row.since.astimezone(UTC):%H:%M:%S} {row.what}", row.times) for row in rows]

    await finish(house, asked=START + timedelta(seconds=10), done=START + timedelta(seconds=40))
    house.now = START + timedelta(seconds=89)
    await count(house)
    assert await counted() == []

    house.now = START + timedelta(seconds=90)
    await count(house)
    assert await counted() == [("12:00:00 requested", 1)]

    house.now = START + timedelta(minutes=2)
    await count(house)
    assert await counted() == [("12:00:00 requested", 1), ("12:00:30 completed", 1)]

    await finish(house, asked=START + timedelta(minutes=59), done=START + timedelta(minutes=61))
    house.now = START + timedelta(minutes=63)
    await count(house)
    assert await counted() == [
        ("12:00:00 requested", 1), ("12:00:30 completed", 1), ("12:01:00 requested", 1), ("13:00:00 completed", 1),
    ]  # fmt: skip


async def test_what_happened_lately_is_read_of_what_was_counted(house: House) -> None:
    await finish(house, asked=START, done=START + timedelta(seconds=10))
    await multiply(house, "promotion.promotion", id="gen_random_uuid()", source_deployment_id="'copy-' || n")
    house.now = START + timedelta(minutes=2)
    await count(house)
    await finish(house, asked=house.now, done=house.now)

    # What a session has read before may still count as read.
    another = House(house.dsn)
    async with another.database.begin() as connection:
        scope: dict[str, Any] = {"first": START - HOUR, "until": house.now + HOUR, "environment": None}
        found = await statistics.by_day(connection, ORGANIZATION, **scope)
        read = await rows_read(connection, "promotion.promotion")
    await another.close()

    assert (found[START.date()].times["requested"], found[START.date()].times["completed"]) == (MANY + 2, MANY + 2)
    assert read < 10


@pytest.mark.parametrize("minute", [0, 1, 7, 59, 62, 69, 71, 121, 1441, 2940])
async def test_figures_are_the_same_whenever_they_were_counted(house: House, minute: int) -> None:
    for asked in (0, 0.4, 6, 58, 61, 100):
        await finish(house, asked=START + timedelta(minutes=asked), done=START + timedelta(minutes=asked + 3))
    house.now = START + timedelta(days=3)
    before = await figures(house)

    for counted in sorted({0, 3, minute, minute + 1}):
        house.now = START + timedelta(minutes=counted)
        await count(house)
    house.now = START + timedelta(days=3)

    assert await figures(house) == before


async def test_what_is_recorded_late_is_found_by_its_hour(house: House) -> None:
    await finish(house, asked=START + timedelta(minutes=10), done=START + timedelta(minutes=12))
    house.now = START + timedelta(minutes=20)
    await count(house)
    # Its request lay on Kafka for a quarter of an hour.
    await finish(house, asked=START + timedelta(minutes=11), done=START + timedelta(minutes=26))
    assert (await figures(house))[START.date()].times["requested"] == 1

    house.now = START + timedelta(minutes=71)
    await count(house)

    assert (await figures(house))[START.date()].times["requested"] == 2


async def test_an_hour_is_counted_when_it_is_over_and_a_day_once_more_when_it_is_well_over(house: House) -> None:
    await finish(house, asked=START, done=START + timedelta(minutes=10))
    house.now = START + HOUR + timedelta(minutes=5)
    # The hours of the day before this one, in which nothing happened, and what there is of this one.
    assert await count(house) == START.hour + 1
    assert await spans(house) == [0]

    house.now = START + HOUR + timedelta(minutes=11)
    assert await count(house) == 1
    assert await spans(house) == [1]

    house.now = START + timedelta(days=2)
    await count(house)
    assert await spans(house) == [24]


async def test_what_is_recorded_late_is_found_by_its_day(house: House) -> None:
    await finish(house, asked=START, done=START + timedelta(minutes=10))
    house.now = START + 3 * HOUR
    await count(house)
    # Its request lay on Kafka for hours.
    await finish(house, asked=START, done=START + 3 * HOUR)
    assert (await figures(house))[START.date()].times["requested"] == 1

    house.now = START + timedelta(days=3)
    await count(house)

    assert (await figures(house))[START.date()].times["requested"] == 2


@pytest.mark.parametrize("later", [timedelta(minutes=12), 3 * HOUR, timedelta(days=3)])
async def test_several_who_count_count_once(house: House, later: timedelta) -> None:
    await finish(house, asked=START, done=START + timedelta(minutes=10))
    house.now = START + later
    before = await figures(house)

    await asyncio.gather(*(count(house) for _ in range(4)))

    assert await figures(house) == before


async def test_figures_are_those_of_one_environment_and_organization(house: House) -> None:
    await finish(house, asked=START, done=START + timedelta(minutes=10))
    house.now = START + 3 * HOUR
    await count(house)

    assert await figures(house, environment="production") == {}
    assert (await figures(house, environment="staging"))[START.date()].times["completed"] == 1
    async with house.database.begin() as connection:
        scope: dict[str, Any] = {"first": START - HOUR, "until": house.now, "environment": None}
        assert await statistics.by_day(connection, "globex", **scope) == {}


def test_the_one_in_the_middle_is_the_median() -> None:
    took = Figures()
    took.add("completed", [100, 200, 900], [1, 1, 1])
    took.add("completed", [200, 300], [1, 1])

    assert took.median_seconds("completed") == pytest.approx(1.01**200.5)
    assert took.median_seconds("approved") is None
