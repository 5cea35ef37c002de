"""promotion audit detach as its owner runs it, and what the other commands say afterwards."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from tests.integration.promotion.api import Api, serve
from tests.integration.promotion.house import House
from tests.integration.promotion.months import begin, end

PROGRAM = str(Path(sys.executable).with_name("promotion"))


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


@pytest.fixture
async def api(house: House) -> AsyncIterator[Api]:
    async with serve(house) as served:
        yield served


async def run(api: Api, *words: str) -> Said:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMOTION_")}
    environment |= {"DATABASE_URL": api.house.dsn, "PROMOTION_URL": api.url, "PROMOTION_API_KEY": api.key_of("vic")}
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())


def moment(month: int, number: int) -> datetime:
    return datetime(2025, month, number, 12, tzinfo=UTC)


async def three_months(house: House) -> UUID:
    """One promotion of January that ends in March, one of February; one of March executes still."""
    january = await begin(house, moment(1, 30))
    await end(house, await begin(house, moment(2, 3)), moment(2, 4))
    await end(house, january, moment(3, 1))
    await begin(house, moment(3, 2))
    return january


async def test_months_go_until_one_is_held_up_and_a_second_time_changes_nothing(house: House, api: Api) -> None:
    await three_months(house)

    looked = await run(api, "audit", "detach", "--before", "2025-05", "--dry-run")
    untouched = await house.as_owner("SELECT 1 FROM promotion.history_cut")
    done = await run(api, "audit", "detach", "--before", "2025-05", "-o", "json")
    again = await run(api, "audit", "detach", "--before", "2025-03")

    assert [line.split("\t")[0] for line in looked.out.splitlines()] == ["2025-01", "2025-02"]
    assert (looked.status, untouched) == (1, [])
    assert done.status == 1
    assert "2025-03 stays, and what is after it" in done.err
    assert [(row["table"], row["sequence"], row["kept"]) for row in json.loads(done.out)] == [
        ("promotion_detached.history_2025_01", 8, 4),
        ("promotion_detached.history_2025_02", 8, 0),
    ]
    assert "pg_dump" in done.err
    assert "DROP TABLE promotion_detached.history_2025_01, promotion_detached.history_2025_02" in done.err
    assert (again.status, again.out) == (0, "")
    assert "nothing is left to let go of before 2025-03" in again.err


async def test_the_other_commands_say_that_the_beginning_is_gone(house: House, api: Api) -> None:
    january = await three_months(house)
    before = await run(api, "audit", "head", "-o", "json")
    kept = json.loads(before.out)
    [first] = await house.as_owner("SELECT hash FROM promotion.history WHERE chain_seq = 5")
    detached = await run(api, "audit", "detach", "--before", "2025-02", "-o", "json")
    [cut] = json.loads(detached.out)

    whole = await run(api, "audit", "verify")
    later = await run(api, "audit", "verify", "--anchor", f"{kept['sequence']}:{kept['hash']}")
    at_the_cut = await run(api, "audit", "verify", "--anchor", f"{cut['sequence']}:{cut['hash']}")
    earlier = await run(api, "audit", "verify", "--anchor", f"5:{first.hash.hex()}")
    other = await run(api, "audit", "verify", "--anchor", f"{cut['sequence']}:{'0' * 64}")
    history = await run(api, "history", str(january))
    listed = await run(api, "audit", "list")
    head = await run(api, "audit", "head")

    assert detached.status == 0, detached.err
    assert (whole.status, later.status, at_the_cut.status) == (0, 0, 0), whole.err + later.err + at_the_cut.err
    assert f"whole since the cut at entry 8 (hash {cut['hash']}), with which 2025-01 was let go" in whole.err
    assert "the 4 that were kept" in whole.err
    assert (earlier.status, other.status) == (1, 1)
    assert "an anchor from before it proves nothing any more" in earlier.err
    assert "written anew" in other.err
    assert (history.status, "was let go with all of 2025-01" in history.err) == (3, True)
    assert "up to entry 8 this is not all" in listed.err
    assert f"cut\t8:{cut['hash']}" in head.out


async def test_a_number_of_months_is_kept(house: House, api: Api) -> None:
    now = datetime.now(UTC)
    last_month = now.replace(day=1) - timedelta(days=1)
    await end(house, await begin(house, moment(1, 30)), moment(1, 30))
    await end(house, await begin(house, last_month), last_month)

    kept = await run(api, "audit", "detach", "--keep-months", "1", "-o", "json")
    none = await run(api, "audit", "detach", "--keep-months", "0", "-o", "json")

    went = [[row["month"] for row in json.loads(said.out) if row["entries"]] for said in (kept, none)]
    assert went == [["2025-01"], [f"{last_month:%Y-%m}"]]


async def test_only_the_owner_may(house: House, api: Api) -> None:
    await three_months(house)
    owner = await asyncpg.connect(house.dsn)
    await owner.execute("DROP ROLE IF EXISTS nobody_special")
    await owner.execute("CREATE ROLE nobody_special LOGIN PASSWORD 'x' IN ROLE promotion_promotion")
    house.dsn = house.dsn.replace(house.dsn.split("//")[1].split("@")[0], "nobody_special:x")

    refused = await run(api, "audit", "detach", "--before", "2025-02")

    assert (refused.status, "has to be the owner's address" in refused.err) == (1, True), refused.err
    assert await owner.fetch("SELECT 1 FROM promotion.history_cut") == []
    await owner.close()
