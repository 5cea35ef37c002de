"""GET /stream: every change of the organization, once, in order, from where the reader left off."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.integration.ingress.conftest import Door

_INSERT = """INSERT INTO promotion.history (promotion_month, organization_id, promotion_id, version, previous_status,
    status, status_reason, status_message, actor, at, evidence, chain_seq, previous_hash, hash)
    SELECT '2026-03-01', $1, gen_random_uuid(), 1, NULL, 'pending', 'evaluating', 'asked', 'rita', now(), '{}', n,
    '', '' FROM generate_series($2::int, $3::int) AS n"""


async def happen(door: Door, first: int, last: int, organization: str = "acme") -> None:
    await door.execute(_INSERT, organization, first, last)


class Reader:
    """Reads a stream event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._events = self._read()
        self.position: int | None = None

    async def _read(self) -> AsyncIterator[dict[str, Any]]:
        identifier, data = None, None
        async for raw in self._response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("id: "):
                identifier = int(line[4:])
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif not line and identifier is not None:
                self.position = identifier
                yield {"id": identifier, "data": data}
                identifier, data = None, None

    def close(self) -> None:
        self._response.close()

    async def next(self, count: int) -> list[int]:
        async with asyncio.timeout(5):
            return [(await anext(self._events))["id"] for _ in range(count)]


async def opened(door: Door, last_event_id: str | None = None, organization: str = "acme") -> Reader:
    headers = {"Authorization": f"Bearer {await door.key('viewer', organization)}"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    response = await door.session.get(f"{door.url}/api/v1/stream", headers=headers)
    assert response.status == 200, await response.text()
    assert response.content_type == "text/event-stream"
    return Reader(response)


async def test_a_reader_begins_now_and_sees_what_happens_next(door: Door) -> None:
    await happen(door, 1, 3)
    reader = await opened(door)
    begun = await reader.next(1)

    await happen(door, 4, 5)
    seen = await reader.next(2)

    assert (begun, seen) == ([3], [4, 5])


async def test_a_reader_resumes_after_what_it_saw_even_far_behind(door: Door) -> None:
    await happen(door, 1, 1700)
    reader = await opened(door, "10")

    seen = await reader.next(1 + 1690)
    await happen(door, 1701, 1702)
    more = await reader.next(2)

    assert seen == list(range(10, 1701))
    assert more == [1701, 1702]


async def test_many_readers_see_the_same_and_another_organization_nothing(door: Door) -> None:
    readers = [await opened(door) for _ in range(5)]
    foreign = await opened(door, organization="globex")
    await asyncio.gather(*(reader.next(1) for reader in [*readers, foreign]))

    await happen(door, 1, 3)
    await happen(door, 1, 1, "globex")

    assert await asyncio.gather(*(reader.next(3) for reader in readers)) == [[1, 2, 3]] * 5
    assert await foreign.next(1) == [1]


async def test_a_position_of_another_time_begins_at_the_end(door: Door) -> None:
    await happen(door, 1, 2)

    reader = await opened(door, "999999")

    assert await reader.next(1) == [2]


@pytest.mark.parametrize("position", ["x", "-1", "1.5", "9" * 30, "１"])
async def test_what_is_no_position_is_refused(door: Door, position: str) -> None:
    answer = await door.call("GET", "/api/v1/stream", role="viewer", headers={"Last-Event-ID": position})

    assert (answer.status, answer.body["errors"][0]["code"]) == (422, "wrong_position")


async def test_a_stopping_server_ends_its_streams(door: Door) -> None:
    reader = await opened(door)
    await reader.next(1)

    door.ingress.app.state.feeds.close()

    with pytest.raises(StopAsyncIteration):
        await reader.next(1)


async def test_the_head_of_the_stream_does_not_stream(door: Door) -> None:
    async with asyncio.timeout(3):
        answer = await door.call("HEAD", "/api/v1/stream", role="viewer")

    assert (answer.status, answer.body) == (200, b"")


async def test_one_organization_does_not_take_the_streams_of_the_others(door: Door) -> None:
    door.ingress.app.state.feeds.most_of_one = 2
    readers = [await opened(door) for _ in range(2)]

    refused = await door.call("GET", "/api/v1/stream", role="viewer")
    foreign = await opened(door, organization="globex")
    readers[0].close()

    assert (refused.status, refused.headers.get("Retry-After")) == (429, "15")
    assert (refused.body["type"], refused.headers["Content-Type"]) == (
        "urn:promotion:problem:too_many_streams",
        "application/problem+json",
    )
    assert await foreign.next(1) == [0]
    # Whoever left makes room.
    async with asyncio.timeout(5):
        while await status_of_a_stream(door) != 200:
            await asyncio.sleep(0.01)


async def test_streams_that_are_opened_at_once_are_counted_before_they_begin(door: Door) -> None:
    door.ingress.app.state.feeds.max_viewers = 3
    headers = {"Authorization": f"Bearer {await door.key('viewer')}"}

    answers = await asyncio.gather(*(door.session.get(f"{door.url}/api/v1/stream", headers=headers) for _ in range(10)))

    assert sorted(answer.status for answer in answers) == [200] * 3 + [503] * 7
    for answer in answers:
        answer.close()


async def status_of_a_stream(door: Door) -> int:
    headers = {"Authorization": f"Bearer {await door.key('viewer')}"}
    async with door.session.get(f"{door.url}/api/v1/stream", headers=headers) as response:
        return response.status
