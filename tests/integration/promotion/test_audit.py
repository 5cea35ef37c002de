"""The audit over HTTP: the head to keep elsewhere, and a history verified page by page up to it."""

import pytest

from tests.integration.promotion.api import Answer, Api
from tests.integration.promotion.house import evaluation

VERIFY = "/api/v1/audit/verify"


async def four_entries(api: Api) -> None:
    await api.house.evaluate(evaluation())
    head = (await api.get("/api/v1/audit/head")).body
    assert head["sequence"] >= 3


async def verify(api: Api, *, limit: int = 1000, caller: str = "vic") -> Answer:
    answer = await api.get(f"{VERIFY}?limit={limit}", caller)
    while not answer.body["complete"]:
        after, reached = answer.body["sequence"], answer.body["hash"]
        answer = await api.get(f"{VERIFY}?limit={limit}&after={after}&hash={reached}", caller)
    return answer


async def test_a_whole_history_is_verified_to_its_head_in_pages_of_any_size(api: Api) -> None:
    await four_entries(api)
    head = (await api.get("/api/v1/audit/head")).body

    for limit in (1, 2, 1000):
        verified = (await verify(api, limit=limit)).body
        assert (verified["sequence"], verified["hash"], verified["broken"]) == (head["sequence"], head["hash"], None)
    assert head["at"] is not None


async def test_another_organization_has_its_own_history_which_is_empty(api: Api) -> None:
    await four_entries(api)

    head = (await api.get("/api/v1/audit/head", "olga")).body
    verified = (await verify(api, caller="olga")).body

    assert (head["organization_id"], head["sequence"], head["at"]) == ("globex", 0, None)
    assert (verified["sequence"], verified["broken"]) == (0, None)


@pytest.mark.parametrize(
    ("damage", "sequence", "problem"),
    [
        ("UPDATE promotion.history SET actor = 'mallory' WHERE chain_seq = 2", 2, "does not say what it said"),
        ("DELETE FROM promotion.history WHERE chain_seq = 2", 2, "missing; 3 comes next"),
        ("DELETE FROM promotion.history WHERE chain_seq >= 2", 2, "missing; there have to be"),
        ("UPDATE promotion.chain_head SET seq = 1", 2, "ends with entry 1"),
        ("UPDATE promotion.chain_head SET hash = decode(repeat('00', 32), 'hex')", 3, "another hash"),
    ],
)
async def test_the_first_break_is_named(api: Api, damage: str, sequence: int, problem: str) -> None:
    await four_entries(api)
    for table in ("history", "chain_head"):
        await api.house.as_owner(f"ALTER TABLE promotion.{table} DISABLE TRIGGER USER")
    await api.house.as_owner(damage)

    for limit in (1, 1000):
        broken = (await verify(api, limit=limit)).body["broken"]
        assert broken["sequence"] == sequence
        assert problem in broken["problem"]


async def test_what_was_kept_elsewhere_of_a_history_that_was_cut_or_written_anew_does_not_fit(api: Api) -> None:
    await four_entries(api)

    later = await api.get(f"{VERIFY}?after=99&hash={'0' * 64}")
    other = await api.get(f"{VERIFY}?after=1&hash={'0' * 64}")

    assert later.body["broken"]["problem"] == "the history's head says that it ends with entry 3"
    assert other.body["broken"]["sequence"] == 2


@pytest.mark.parametrize("query", ["after=1", "after=-1", "after=1&hash=xyz", "limit=0", "limit=1001"])
async def test_a_place_that_cannot_be_is_a_422(api: Api, query: str) -> None:
    answer = await api.get(f"{VERIFY}?{query}")

    assert answer.status == 422
