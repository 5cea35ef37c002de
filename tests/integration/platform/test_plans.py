"""Plans of statements that are kept: made for any values, and made anew while tables grow."""

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.platform import database as module
from services.platform.database import Database

PLANNED = text("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%AS probed'")
PROBED = text("SELECT cast(:value AS int) AS probed")
MODE = text("SELECT current_setting('plan_cache_mode')")


async def plans(connection: AsyncConnection) -> tuple[int, int]:
    (row,) = await connection.execute(PLANNED)
    return row.generic_plans, row.custom_plans


async def test_a_statement_is_planned_for_any_values_from_the_first_time_on(database: str) -> None:
    pool = Database(database, role=None, application_name="probe", pool_size=1)
    async with pool.begin(keeps_plans=True) as connection:
        for value in range(3):
            await connection.execute(PROBED, {"value": value})
        assert await plans(connection) == (3, 0)
    await pool.close()


async def made_anew(database: str, transactions: int) -> list[int]:
    """Give the transactions of one connection, by number from 1, that began with new plans."""
    said: list[str] = []
    pool = Database(database, role=None, application_name="probe", pool_size=1)
    event.listen(pool._engine.sync_engine, "before_cursor_execute", lambda _c, _k, sql, *_: said.append(sql))
    found: list[int] = []
    for number in range(1, transactions + 1):
        said.clear()
        async with pool.begin(keeps_plans=True) as connection:
            await connection.execute(PROBED, {"value": number})
        if said[0] == "DISCARD PLANS":
            found.append(number)
    await pool.close()
    return found


async def test_kept_plans_are_made_anew_each_time_a_connection_has_done_twice_as_much(database: str) -> None:
    assert await made_anew(database, 20) == [2, 4, 8, 16]


async def test_kept_plans_are_made_anew_when_they_are_old(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PLANS_SECONDS", 0.0)

    assert await made_anew(database, 3) == [1, 2, 3]


async def test_one_transaction_may_keep_plans_where_others_do_not(database: str) -> None:
    pool = Database(database, role=None, application_name="probe", pool_size=1)
    async with pool.begin(organizations={"acme"}, keeps_plans=True) as connection:
        kept = await connection.scalar(MODE)
    async with pool.begin(organizations={"acme"}) as connection:
        usual = await connection.scalar(MODE)
    await pool.close()

    assert (kept, usual) == ("force_generic_plan", "auto")
