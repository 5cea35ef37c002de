"""Dead letters over HTTP: who sees which, and that what is sent again is what came."""

import base64
from typing import Any
from uuid import uuid4

import pytest

from schemas.cloudevents import EncodedRecord
from schemas.topics import TESTS_COMPLETED
from services.platform.clock import utc_now
from services.platform.database import Database
from services.platform.http.cursors import write_cursor
from services.platform.messaging.dead_letters import DeadLetter, Record, park
from services.platform.messaging.outbox import load_headers
from services.platform.messaging.signatures import outgoing
from tests.integration.ingress.conftest import Answer, Door

LETTERS = "/api/v1/dead-letters"
HEADERS = (("ce_id", b"1"), ("ce_id", b"twice"), ("odd", b"\xff\x00"), ("none", None))
VALUE = b'{"organization_id": "acme", "broken": \xff'


def letter(
    *, organization: str | None = "acme", offset: int = 7, value: bytes | None = VALUE, key: bytes | None = b"dep-1"
) -> DeadLetter:
    record = Record(TESTS_COMPLETED, 3, offset, 1_700_000_000_000, key, HEADERS, value)
    return DeadLetter("rules.tests-completed", record, "invalid_data", "it is\x00 broken", organization)


async def keep(door: Door, *letters: DeadLetter) -> list[str]:
    """Park letters as a service does that may see no organization."""
    database = Database(door.database_url, role="promotion_rules", application_name="test")
    async with database.begin(organizations=()) as connection:
        parked = await park(connection, letters, now=utc_now())
    await database.close()
    return [str(each.id) for each in parked]


async def waiting(door: Door) -> list[Any]:
    return await door.execute("SELECT topic, key, headers, value FROM ingress.outbox ORDER BY id")


async def seen(door: Door, role: str, organization: str = "acme", query: str = "") -> set[str]:
    answer = await door.call("GET", f"{LETTERS}{query}", role=role, organization=organization)
    return {item["id"] for item in answer.items}


async def test_an_administrator_sees_his_own_and_an_operator_those_of_nobody(door: Door) -> None:
    own, foreign, nobodys = await keep(
        door, letter(), letter(organization="globex", offset=8), letter(organization=None, offset=9)
    )

    assert await seen(door, "admin") == {own}
    assert await seen(door, "admin", "globex") == {foreign}
    assert await seen(door, "operator") == {nobodys}
    assert (await door.call("GET", LETTERS, role="viewer")).status == 403


@pytest.mark.parametrize("command", ["", "/replay", "/discard"])
async def test_a_foreign_letter_and_none_at_all_are_answered_alike(door: Door, command: str) -> None:
    [foreign] = await keep(door, letter(organization="globex"))
    random = str(uuid4())

    async def answer(identifier: str) -> Answer:
        body = {"reason": "x"} if command == "/discard" else None
        return await door.call("POST" if command else "GET", f"{LETTERS}/{identifier}{command}", body)

    answers = [await answer(foreign), await answer(random)]

    assert [each.status for each in answers] == [404, 404]
    assert answers[0].body["detail"].replace(foreign, random) == answers[1].body["detail"]
    assert await waiting(door) == []


async def test_a_letter_is_shown_whole(door: Door) -> None:
    [identifier] = await keep(door, letter())

    shown = (await door.call("GET", f"{LETTERS}/{identifier}")).body

    assert base64.b64decode(shown["value_base64"]) == VALUE
    assert base64.b64decode(shown["key_base64"]) == b"dep-1"
    assert shown["preview"].endswith('"broken": \ufffd')
    assert [(each["name"], each["value_base64"]) for each in shown["headers"]][2:] == [("odd", "/wA="), ("none", None)]
    assert (shown["topic"], shown["partition"], shown["offset"]) == (TESTS_COMPLETED, 3, 7)
    assert (shown["reason"], shown["detail"], shown["state"]) == ("invalid_data", "it is\ufffd broken", "parked")


async def test_what_is_sent_again_is_byte_for_byte_what_came_and_never_signed_anew(door: Door) -> None:
    [identifier] = await keep(door, letter())

    answers = [await door.call("POST", f"{LETTERS}/{identifier}/replay") for _ in range(2)]

    assert [(each.status, each.body["state"]) for each in answers] == [(200, "replayed")] * 2
    assert answers[0].body["handled_by"] == "admin-of-acme"
    [row] = await waiting(door)
    kept = _record(row)
    sent = outgoing(kept, lambda _record: pytest.fail("a service signed what it did not say"))
    assert (sent.topic, sent.key, sent.headers, sent.value) == (TESTS_COMPLETED, b"dep-1", HEADERS, VALUE)


async def test_what_was_discarded_is_not_sent_again_and_the_other_way_round(door: Door) -> None:
    first, second = await keep(door, letter(), letter(offset=8))

    discarded = await door.call("POST", f"{LETTERS}/{first}/discard", {"reason": "a test of theirs"})
    too_late = await door.call("POST", f"{LETTERS}/{first}/replay")
    await door.call("POST", f"{LETTERS}/{second}/replay")
    also_late = await door.call("POST", f"{LETTERS}/{second}/discard", {"reason": "x"})
    without = await door.call("POST", f"{LETTERS}/{second}/discard", {})

    assert (discarded.body["state"], discarded.body["discard_reason"]) == ("discarded", "a test of theirs")
    assert (too_late.status, too_late.body["state"]) == (409, "discarded")
    assert (also_late.status, without.status) == (409, 422)
    assert len(await waiting(door)) == 1


async def test_many_are_sent_again_in_their_order_and_none_that_do_not_fit(door: Door) -> None:
    await keep(door, *(letter(offset=offset, value=b"%d" % offset) for offset in (3, 1, 2)))
    await keep(door, letter(organization="globex"))
    body = {"topic": TESTS_COMPLETED, "limit": 2}

    nothing = await door.call("POST", f"{LETTERS}/replay", {"reason": "unauthenticated"})
    first = await door.call("POST", f"{LETTERS}/replay", body)
    second = await door.call("POST", f"{LETTERS}/replay", body)

    assert nothing.body == {"replayed": 0, "more": False}
    assert (first.body, second.body) == ({"replayed": 2, "more": True}, {"replayed": 1, "more": False})
    assert [row["value"] for row in await waiting(door)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"dep-1", b"x" * 1_000_000)], ids=["nothing", "too large"])
async def test_a_record_that_the_broker_does_not_take_cannot_be_sent(
    door: Door, key: bytes | None, value: bytes | None
) -> None:
    [identifier] = await keep(door, letter(key=key, value=value))

    answer = await door.call("POST", f"{LETTERS}/{identifier}/replay")

    assert (answer.status, answer.body["type"]) == (409, "urn:promotion:problem:cannot_be_sent")


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "0001-01-01T00:00:00Z"]
)
async def test_an_instant_at_the_end_of_time_is_no_failure(door: Door, moment: str) -> None:
    replayed = await door.call("POST", f"{LETTERS}/replay", {"parked_before": moment})
    listed = await door.call("GET", f"{LETTERS}?cursor={write_cursor(moment, str(uuid4()))}")

    assert (replayed.status, listed.status) in {(422, 422), (200, 200)}


async def test_the_list_is_filtered_and_paged(door: Door) -> None:
    await keep(door, *(letter(offset=offset) for offset in range(3)))

    first = await door.call("GET", f"{LETTERS}?limit=2&group=rules.tests-completed&state=parked")
    rest = await door.call("GET", f"{LETTERS}?limit=2&cursor={first.body['next_cursor']}")
    none = await door.call("GET", f"{LETTERS}?topic=promotion.requested")
    wrong = await door.call("GET", f"{LETTERS}?cursor=W10")

    assert len({item["id"] for item in first.items + rest.items}) == 3
    assert (rest.body["next_cursor"], none.items, wrong.status) == (None, [], 422)


def _record(row: Any) -> EncodedRecord:
    return EncodedRecord(row["topic"], row["key"], load_headers(row["headers"]), row["value"])
