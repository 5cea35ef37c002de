"""Months of the history that are let go: what holds them up, what is recorded of them, what is proved afterwards."""

import asyncio
import time
from datetime import date, timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.platform.database import is_conflict, sqlstate
from services.promotion import retention
from services.promotion.evaluations import apply_evaluations
from services.promotion.retention import HeldUp, Overtaken
from tests.integration.promotion.house import House, evaluation
from tests.integration.promotion.months import (
    FEBRUARY,
    JANUARY,
    LATER,
    MARCH,
    begin,
    day,
    end,
    entangled,
    let_go,
    owning,
)


async def tables(house: House) -> set[str]:
    rows = await house.as_owner("SELECT tableoid::regclass::text AS name FROM promotion.history GROUP BY 1")
    return {row.name for row in rows}


async def test_a_month_goes_whole_and_what_lies_among_it_of_later_ones_stays(house: House) -> None:
    await entangled(house)

    gone = await let_go(house.dsn, JANUARY)

    (cut,) = gone.cuts
    assert (cut.organization_id, cut.entries, cut.head.seq, cut.kept) == ("acme", 4, 8, 4)
    assert gone.table == "promotion_detached.history_2031_01"
    assert [row[0] for row in await house.as_owner(f"SELECT chain_seq FROM {gone.table} ORDER BY 1")] == [1, 2, 3, 8]
    assert [row[0] for row in await house.as_owner("SELECT chain_seq FROM promotion.history ORDER BY 1")] == [
        4, 5, 6, 7, 9, 10, 11, 12,
    ]  # fmt: skip
    assert await house.broken_link() is None


async def test_one_month_after_the_other_goes_until_nothing_is_left_and_the_chain_goes_on(house: House) -> None:
    await entangled(house)

    cuts = [(await let_go(house.dsn, month)).cuts[0] for month in (JANUARY, FEBRUARY, MARCH)]

    # The records of the cuts are links 13, 14 and 15; February's last was before January's.
    assert [(cut.entries, cut.head.seq, cut.kept) for cut in cuts] == [(4, 8, 4), (4, 8, 0), (4, 12, 0)]
    assert await house.broken_link() is None
    april = await begin(house, day(4, 1))
    await end(house, april, day(4, 2))
    assert await house.broken_link() is None
    rows = await house.as_owner("SELECT chain_seq FROM promotion.history ORDER BY 1")
    assert [row[0] for row in rows] == [16, 17, 18, 19]


async def test_a_month_goes_from_every_organization_with_a_cut_of_its_own(house: House) -> None:
    await entangled(house)
    other = await begin(house, day(1, 31), "globex")
    await end(house, other, day(1, 31), "globex")

    gone = await let_go(house.dsn, JANUARY)

    assert [(cut.organization_id, cut.head.seq) for cut in gone.cuts] == [("acme", 8), ("globex", 4)]
    for organization in ("acme", "globex"):
        assert await house.broken_link(organization) is None


async def test_a_month_in_which_a_promotion_has_not_ended_stays_and_so_does_every_later_one(house: House) -> None:
    held = await begin(house, day(1, 30))
    await end(house, await begin(house, day(2, 3)), day(2, 4))

    for month in (JANUARY, FEBRUARY):
        with pytest.raises(HeldUp, match=f"{held} of acme \\(approved/executing\\)"):
            await let_go(house.dsn, month)

    assert await tables(house) == {"promotion.history_2031_01", "promotion.history_2031_02"}


async def test_a_month_that_is_not_over_stays(house: House) -> None:
    await entangled(house)

    async with owning(house.dsn) as database:
        with pytest.raises(HeldUp, match="2031-03 is not over"):
            await retention.plan(database, MARCH, now=day(3, 31))


async def test_the_months_before_one_are_found_wherever_they_lie(house: House) -> None:
    await entangled(house)
    await house.evaluate(evaluation(created_at=day(1, 5).replace(year=2030)))

    async with owning(house.dsn) as database:
        found = await retention.months(database, before=MARCH)

    assert [month for month in found if month > date(2030, 1, 1)] == [JANUARY, FEBRUARY]
    assert date(2030, 1, 1) in found


async def test_what_begins_to_wait_between_the_look_and_the_lock_holds_the_month_up(house: House) -> None:
    await entangled(house)
    async with owning(house.dsn) as database:
        planned = await retention.plan(database, JANUARY, now=LATER)
        await begin(house, day(1, 31))

        with pytest.raises(HeldUp):
            await retention.let_go(database, planned)

    assert await house.broken_link() is None


async def test_what_came_and_went_between_the_look_and_the_lock_is_looked_at_again(house: House) -> None:
    await entangled(house)
    async with owning(house.dsn) as database:
        planned = await retention.plan(database, JANUARY, now=LATER)
        await end(house, await begin(house, day(1, 31)), day(3, 4))

        with pytest.raises(Overtaken):
            await retention.let_go(database, planned)

    assert (await let_go(house.dsn, JANUARY)).cuts[0].entries == 8
    assert await house.broken_link() is None


async def test_what_is_written_but_not_committed_when_the_lock_is_asked_for_is_seen(house: House) -> None:
    await entangled(house)
    async with owning(house.dsn) as database:
        planned = await retention.plan(database, JANUARY, now=LATER)
        async with house.work() as work:
            late = evaluation(organization_id="globex", created_at=day(1, 31), evaluated_at=house.now)
            await apply_evaluations(work, [late])
            letting_go = asyncio.create_task(retention.let_go(database, planned))
            while not letting_go.done() and not await house.as_owner("SELECT 1 FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)

        # Where this machine was too slow for the lock, it is the conflict.
        with pytest.raises((HeldUp, Overtaken, DBAPIError)):
            await letting_go

    assert "promotion.history_2031_01" in await tables(house)


async def test_a_month_that_ended_before_an_earlier_cut_is_cut_there_again(house: House) -> None:
    await end(house, await begin(house, day(2, 3)), day(2, 4))
    await house.evaluate(evaluation(created_at=day(1, 5), evaluated_at=house.now))

    cuts = [(await let_go(house.dsn, month)).cuts[0] for month in (JANUARY, FEBRUARY)]

    # January's came late, behind all of February's, of which there are as many as the page is long.
    assert [(cut.entries, cut.head.seq, cut.kept) for cut in cuts] == [(2, 6, 4), (4, 6, 0)]
    assert await house.broken_link() is None


async def test_of_two_who_let_go_of_the_same_month_one_does(house: House) -> None:
    await entangled(house)
    async with owning(house.dsn) as one, owning(house.dsn) as other:
        plans = [await retention.plan(database, JANUARY, now=LATER) for database in (one, other)]
        done = await asyncio.gather(
            *(retention.let_go(database, planned) for database, planned in zip((one, other), plans, strict=True)),
            return_exceptions=True,
        )

    assert sorted(type(each).__name__ for each in done) == ["Gone", "Overtaken"]
    assert await house.broken_link() is None


async def test_what_cannot_get_the_lock_soon_gives_up_whole(house: House) -> None:
    await entangled(house)
    reader = await asyncpg.connect(house.dsn)
    holding = reader.transaction()
    await holding.start()
    await reader.execute("LOCK TABLE promotion.history IN ACCESS SHARE MODE")

    began = time.monotonic()
    with pytest.raises(DBAPIError) as refused:
        await let_go(house.dsn, JANUARY)

    assert is_conflict(refused.value)
    assert time.monotonic() - began < 8
    await holding.rollback()
    await reader.close()
    assert "promotion.history_2031_01" in await tables(house)
    assert await house.broken_link() is None
    assert (await let_go(house.dsn, JANUARY)).cuts[0].head.seq == 8


@pytest.mark.parametrize("statement", ["DETACH PARTITION", "SET SCHEMA", "INSERT INTO promotion.history_cut", "COMMIT"])
async def test_cut_off_at_any_statement_nothing_has_gone(house: House, statement: str) -> None:
    await entangled(house)
    head = await house.as_owner("SELECT seq, hash FROM promotion.chain_head")

    with pytest.raises(RuntimeError, match="cut off"):
        await let_go_until(house, statement)

    assert await house.as_owner("SELECT seq, hash FROM promotion.chain_head") == head
    assert await house.as_owner("SELECT 1 FROM promotion.history_cut") == []
    assert await house.broken_link() is None
    assert (await let_go(house.dsn, JANUARY)).cuts[0].head.seq == 8


async def let_go_until(house: House, statement: str) -> None:
    """Let go of January, and die just before ``statement``."""
    from sqlalchemy import event

    async with owning(house.dsn) as database:
        planned = await retention.plan(database, JANUARY, now=LATER)
        engine = database._engine.sync_engine

        def die(*_: object) -> None:
            raise RuntimeError("cut off")

        if statement == "COMMIT":
            event.listen(engine, "commit", die)
        else:
            event.listen(
                engine, "before_cursor_execute", lambda _c, _k, said, *_: die() if statement in str(said) else None
            )
        await retention.let_go(database, planned)


async def test_those_who_write_meanwhile_wait_and_lose_nothing(house: House) -> None:
    await entangled(house)

    async def write() -> None:
        for _ in range(20):
            await house.evaluate(evaluation(uuid4(), created_at=day(3, 5), evaluated_at=day(3, 5)))

    writing = [asyncio.create_task(write()) for _ in range(3)]
    gone = await let_go(house.dsn, JANUARY)
    await asyncio.gather(*writing)

    assert gone.cuts[0].kept == 4
    assert await house.broken_link() is None
    assert (await house.as_owner("SELECT count(*) FROM promotion.history"))[0][0] == 8 + 180


async def test_a_late_arrival_of_a_month_that_is_gone_is_whole_and_goes_later_with_a_cut_of_its_own(
    house: House,
) -> None:
    await entangled(house)
    first = await let_go(house.dsn, JANUARY)
    late = uuid4()
    house.now = day(4, 1)
    await house.evaluate(evaluation(late, created_at=day(1, 31), evaluated_at=house.now))
    assert await house.story(late) == ["pending/evaluating", "rejected/expired"]

    second = await let_go(house.dsn, JANUARY)

    assert (first.table, second.table) == (
        "promotion_detached.history_2031_01",
        "promotion_detached.history_2031_01_2",
    )
    assert (second.cuts[0].entries, second.cuts[0].head.seq, second.cuts[0].kept) == (2, 15, 9)
    assert len(await house.as_owner(f"SELECT 1 FROM {second.table}")) == 2
    assert await house.broken_link() is None
    [trigger] = await house.as_owner(
        "SELECT tgenabled::text FROM pg_trigger WHERE tgrelid = 'promotion.history_default'::regclass"
    )
    assert trigger.tgenabled == "O"


async def test_a_month_of_nobody_goes_without_a_cut(house: House) -> None:
    await entangled(house)
    await let_go(house.dsn, JANUARY)
    house.now = day(5, 1)
    async with house.database.begin() as connection:
        await connection.execute(text("SELECT promotion.make_history_partition('2030-07-01')"))

    gone = await let_go(house.dsn, date(2030, 7, 1))

    assert (gone.table, gone.cuts) == ("promotion_detached.history_2030_07", ())


async def test_a_history_that_does_not_hold_is_not_cut(house: House) -> None:
    await entangled(house)
    await house.as_owner("ALTER TABLE promotion.history DISABLE TRIGGER USER")
    await house.as_owner("UPDATE promotion.history SET actor = 'mallory' WHERE chain_seq = 5")

    with pytest.raises(HeldUp, match="entry 5: the entry does not say what it said"):
        await let_go(house.dsn, JANUARY)


async def test_what_was_kept_before_a_cut_has_to_hold_at_the_next_one(house: House) -> None:
    await entangled(house)
    await let_go(house.dsn, JANUARY)
    await house.as_owner("ALTER TABLE promotion.history DISABLE TRIGGER USER")
    await house.as_owner("DELETE FROM promotion.history WHERE chain_seq = 5")

    with pytest.raises(HeldUp, match="entry 8: the history is cut here"):
        await let_go(house.dsn, FEBRUARY)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO promotion.history_cut SELECT * FROM promotion.history_cut",
        "UPDATE promotion.history_cut SET sequence = 9",
        "DELETE FROM promotion.history_cut",
        "SELECT * FROM promotion_detached.history_2031_01",
        "ALTER TABLE promotion.history DETACH PARTITION promotion.history_2031_02",
    ],
)
async def test_the_services_role_neither_cuts_nor_sees_what_went(house: House, statement: str) -> None:
    await entangled(house)
    await let_go(house.dsn, JANUARY)

    with pytest.raises(DBAPIError) as refused:
        async with house.database.begin() as connection:
            await connection.execute(text(statement))

    assert sqlstate(refused.value) == "42501"


async def test_the_record_of_a_cut_cannot_be_changed_by_accident(house: House) -> None:
    await entangled(house)
    await let_go(house.dsn, JANUARY)

    for statement in ("UPDATE promotion.history_cut SET sequence = 9", "DELETE FROM promotion.history_cut"):
        with pytest.raises(DBAPIError) as refused:
            await house.as_owner(statement)
        assert sqlstate(refused.value) == "23514"


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        # Before the cut: what was kept.
        ("UPDATE promotion.history SET actor = 'mallory' WHERE chain_seq = 5", 5),
        ("DELETE FROM promotion.history WHERE chain_seq = 5", 8),
        ("DELETE FROM promotion.history WHERE chain_seq < 8", 8),
        ("UPDATE promotion.history SET hash = previous_hash WHERE chain_seq = 5", 5),
        # After it.
        ("UPDATE promotion.history SET actor = 'mallory' WHERE chain_seq = 10", 10),
        ("DELETE FROM promotion.history WHERE chain_seq = 9", 9),
        ("DELETE FROM promotion.history WHERE chain_seq > 8", 9),
        # The record itself, moved forward, moved back, written over, taken away.
        (
            "UPDATE promotion.history_cut SET sequence = 10, "
            "sequence_hash = (SELECT hash FROM promotion.history WHERE chain_seq = 10)",
            10,
        ),
        ("UPDATE promotion.history_cut SET sequence = 7", 8),
        ("UPDATE promotion.history_cut SET entries = 3", 13),
        ("UPDATE promotion.history_cut SET month = '2031-02-01'", 13),
        ("UPDATE promotion.history_cut SET actor = 'nobody'", 13),
        ("UPDATE promotion.history_cut SET sequence_hash = decode(repeat('00', 32), 'hex')", 9),
        ("UPDATE promotion.history_cut SET kept_hash = decode(repeat('00', 32), 'hex')", 8),
        ("DELETE FROM promotion.history_cut", 1),
    ],
)
async def test_after_a_cut_every_change_is_found_and_named(house: House, damage: str, broken: int) -> None:
    await entangled(house)
    await let_go(house.dsn, JANUARY)
    assert await house.broken_link() is None
    for table in ("history", "history_cut"):
        await house.as_owner(f"ALTER TABLE promotion.{table} DISABLE TRIGGER USER")

    await house.as_owner(damage)

    assert await house.broken_link() == broken


async def test_the_end_of_a_month_in_the_owners_zone_is_not_ours(house: House) -> None:
    held = await begin(house, day(1, 31).replace(hour=23, minute=59) + timedelta(seconds=59))

    with pytest.raises(HeldUp, match=str(held)):
        await let_go(house.dsn, JANUARY)
