"""A stream ends by itself for readers who stall, leave or lose their right, and goes on for all others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Message

from services.ingress.feeds import REMEMBERED, Feed, Frame
from services.ingress.stream import EventStream


class OneFeed:
    """Feeds with one organization, and pages that are made up."""

    def __init__(self) -> None:
        self.feed = Feed(0)
        self.closing = asyncio.Event()
        self.pages: list[int] = []

    @asynccontextmanager
    async def watch(self, organization_id: str) -> AsyncIterator[Feed]:
        yield self.feed

    async def page(self, organization_id: str, position: int) -> list[Frame]:
        self.pages.append(position)
        return [frame(number) for number in range(position + 1, position + 501)]


def frame(number: int) -> Frame:
    return Frame(number, b"%d;" % number)


class Reader:
    """One who reads, or stalls after so many messages."""

    def __init__(self, *, stalls_after: int | None = None) -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self._stalls_after = stalls_after

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._stalls_after is not None and len(self.sent) >= self._stalls_after:
            await asyncio.Event().wait()
        self.sent.append(message)

    @property
    def text(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def stream(feeds: Any, *, position: int | None = None, allowed: bool = True, heartbeat_seconds: float = 30.0) -> Any:
    async def answer() -> bool:
        return allowed

    return EventStream(
        feeds, "acme", position=position, allowed=answer, heartbeat_seconds=heartbeat_seconds, send_seconds=0.05
    )


async def within(work: Any) -> None:
    async with asyncio.timeout(5):
        await work


async def test_a_reader_who_stalls_is_dropped() -> None:
    feeds, reader = OneFeed(), Reader(stalls_after=2)
    feeds.feed.add(frame(1))

    await within(stream(feeds, position=0)({}, reader.receive, reader.send))

    assert len(reader.sent) == 2


async def test_a_reader_who_leaves_takes_the_stream_along() -> None:
    feeds, reader = OneFeed(), Reader()
    reader.gone.set()

    await within(stream(feeds)({}, reader.receive, reader.send))


async def test_a_reader_whose_right_ended_is_let_go() -> None:
    feeds, reader = OneFeed(), Reader()

    await within(stream(feeds, allowed=False, heartbeat_seconds=0.01)({}, reader.receive, reader.send))

    assert reader.sent[-1]["more_body"] is False


async def test_what_comes_when_it_is_time_to_ask_goes_to_nobody_whose_right_ended() -> None:
    feeds, reader = OneFeed(), Reader()
    feeds.feed.add(frame(1))

    # Less than no time: it is time to ask from the beginning.
    await within(stream(feeds, position=0, allowed=False, heartbeat_seconds=-1)({}, reader.receive, reader.send))

    assert b"1;" not in reader.text


async def test_a_reader_hears_that_it_is_still_there_and_stays() -> None:
    feeds, reader = OneFeed(), Reader()
    running = asyncio.create_task(stream(feeds, heartbeat_seconds=0.01)({}, reader.receive, reader.send))

    async with asyncio.timeout(5):
        while reader.text.count(b": still here") < 3:
            await asyncio.sleep(0.001)
    reader.gone.set()
    await within(running)


async def test_what_is_no_longer_remembered_is_read_from_the_pages() -> None:
    feeds, reader = OneFeed(), Reader()
    for number in range(1, REMEMBERED + 300):
        feeds.feed.add(frame(number))
    running = asyncio.create_task(stream(feeds, position=100)({}, reader.receive, reader.send))
    while not reader.text.endswith(b";%d;" % (REMEMBERED + 299)):
        await asyncio.sleep(0)
    reader.gone.set()
    await within(running)

    told = [int(part) for part in reader.text.split(b"\n\n", 1)[1].split(b";") if part]
    assert told == list(range(101, REMEMBERED + 300))
    assert feeds.pages == [100]
