"""What the API says of a history whose older months were let go."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.promotion.api import Api, serve
from tests.integration.promotion.house import House, evaluation
from tests.integration.promotion.months import FEBRUARY, JANUARY, begin, day, end, entangled, let_go

VERIFY = "/api/v1/audit/verify"


@pytest.fixture
async def api(house: House) -> AsyncIterator[Api]:
    async with serve(house) as served:
        yield served


async def verify(api: Api, *, limit: int = 1000) -> dict[str, Any]:
    step: dict[str, Any] = {"sequence": 0, "hash": "0" * 64, "complete": False}
    while not step["complete"]:
        step = (await api.get(f"{VERIFY}?limit={limit}&after={step['sequence']}&hash={step['hash']}")).body
    return step


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 1000])
async def test_a_history_is_verified_from_its_last_cut_in_pages_of_any_size(house: House, api: Api, limit: int) -> None:
    await entangled(house)
    await let_go(house.dsn, JANUARY)
    head = (await api.get("/api/v1/audit/head")).body

    verified = await verify(api, limit=limit)

    assert (verified["sequence"], verified["hash"], verified["broken"]) == (13, head["hash"], None)
    assert verified["cut"] == head["cut"]
    assert {name: verified["cut"][name] for name in ("month", "sequence", "entries", "kept")} == {
        "month": "2031-01", "sequence": 8, "entries": 4, "kept": 4,
    }  # fmt: skip
    assert head["at"] == verified["cut"]["at"]


async def test_what_was_kept_of_the_cut_and_of_later_heads_fits_and_of_earlier_ones_does_not(
    house: House, api: Api
) -> None:
    await entangled(house)
    before = {row.chain_seq: row.hash.hex() for row in await house.as_owner("SELECT * FROM promotion.history")}
    await let_go(house.dsn, JANUARY)

    for sequence in (8, 9, 12):
        found = (await api.get(f"{VERIFY}?after={sequence}&hash={before[sequence]}")).body
        assert (found["sequence"], found["broken"]) == (13, None)
    for sequence, kept in ((3, before[3]), (5, before[5]), (8, before[7])):
        found = (await api.get(f"{VERIFY}?after={sequence}&hash={kept}")).body
        assert found["broken"] is not None
    assert "later head" in (await api.get(f"{VERIFY}?after=5&hash={before[5]}")).body["broken"]["problem"]


async def test_the_history_of_a_promotion_that_went_is_gone_and_says_with_what(house: House, api: Api) -> None:
    january, february, _ = await entangled(house)
    await let_go(house.dsn, JANUARY)

    promotion = await api.get(f"/api/v1/promotions/{january}")
    gone = await api.get(f"/api/v1/promotions/{january}/history")
    kept = await api.get(f"/api/v1/promotions/{february}/history")

    assert (promotion.status, promotion.body["status"]) == (200, "completed")
    assert (gone.status, gone.body["type"]) == (410, "urn:promotion:problem:history_let_go")
    assert "2031-01" in gone.body["detail"]
    assert (gone.body["cut"]["sequence"], gone.body["cut"]["month"]) == (8, "2031-01")
    assert [item["version"] for item in kept.body["items"]] == [1, 2, 3, 4]


async def test_a_page_of_a_history_that_went_meanwhile_is_gone_too(house: House, api: Api) -> None:
    january, *_ = await entangled(house)
    path = f"/api/v1/promotions/{january}/history"
    cursor = (await api.get(f"{path}?limit=2")).body["next_cursor"]
    await let_go(house.dsn, JANUARY)

    assert (await api.get(f"{path}?limit=2&cursor={cursor}")).status == 410


async def test_a_promotion_of_another_organization_is_unknown_whatever_went(house: House, api: Api) -> None:
    january, *_ = await entangled(house)
    await let_go(house.dsn, JANUARY)

    foreign = await api.get(f"/api/v1/promotions/{january}/history", "olga")
    unknown = await api.get(f"/api/v1/promotions/{UUID(int=0)}/history", "olga")

    assert (foreign.status, unknown.status) == (404, 404)
    assert (await api.get("/api/v1/audit/head", "olga")).body["cut"] is None


async def test_a_late_arrival_of_a_month_that_went_has_its_history(house: House, api: Api) -> None:
    await entangled(house)
    await let_go(house.dsn, JANUARY)
    late = uuid4()
    house.now = day(4, 1)
    await house.evaluate(evaluation(late, created_at=day(1, 31), evaluated_at=house.now))

    shown = await api.get(f"/api/v1/promotions/{late}/history")

    assert (shown.status, len(shown.body["items"])) == (200, 2)


async def test_the_list_of_everything_says_where_it_is_not_all(house: House, api: Api) -> None:
    await entangled(house)
    whole = (await api.get("/api/v1/audit")).body
    await let_go(house.dsn, JANUARY)

    listed = (await api.get("/api/v1/audit")).body

    assert (whole["cut"], len(whole["items"])) == (None, 12)
    assert listed["cut"]["sequence"] == 8
    assert [item["sequence"] for item in listed["items"]] == [12, 11, 10, 9, 7, 6, 5, 4]


async def test_the_figures_stay_as_they_were(house: House, api: Api) -> None:
    await entangled(house)
    asked = [(await api.get("/api/v1/statistics?days=366")).body, (await api.get("/api/v1/promotions")).body]

    await let_go(house.dsn, JANUARY)
    await let_go(house.dsn, FEBRUARY)

    assert [(await api.get("/api/v1/statistics?days=366")).body, (await api.get("/api/v1/promotions")).body] == asked


async def test_a_second_cut_counts_and_the_first_one_stays_proved(house: House, api: Api) -> None:
    january, february, march = await entangled(house)
    await let_go(house.dsn, JANUARY)
    await end(house, await begin(house, day(3, 9)), day(3, 10))
    await let_go(house.dsn, FEBRUARY)

    verified = await verify(api, limit=2)

    assert (verified["broken"], verified["cut"]["month"], verified["cut"]["sequence"]) == (None, "2031-02", 8)
    states = [(await api.get(f"/api/v1/promotions/{each}/history")).status for each in (january, february, march)]
    assert states == [410, 410, 200]
