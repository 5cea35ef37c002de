"""How many may watch: no organization takes the places of the others, however they come."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from services.ingress.feeds import MAX_VIEWERS, MOST_OF_ONE, Feeds, TooManyViewers


class Slow:
    """A database that answers when it is told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()

    @asynccontextmanager
    async def begin(self, **_given: Any) -> Any:
        await self.answers.wait()
        yield self

    async def execute(self, *_given: Any) -> Any:
        return self

    def scalar_one(self) -> int:
        return 7


async def test_one_organization_leaves_places_for_the_others() -> None:
    feeds, stack = opened(Slow()), AsyncExitStack()

    async with stack:
        for _ in range(MOST_OF_ONE):
            await stack.enter_async_context(feeds.watch("acme"))
        with pytest.raises(TooManyViewers):
            await stack.enter_async_context(feeds.watch("acme"))
        feed = await stack.enter_async_context(feeds.watch("other"))

    assert feed.position == 7


async def test_places_that_are_left_may_be_taken_again() -> None:
    feeds = opened(Slow())

    for _ in range(MOST_OF_ONE + 1):
        async with feeds.watch("acme"):
            pass


async def test_those_who_still_wait_for_the_database_count() -> None:
    database = Slow()
    feeds = Feeds(database)  # type: ignore[arg-type]
    watching = [asyncio.create_task(watch_once(feeds, f"org-{number // MOST_OF_ONE}")) for number in range(MAX_VIEWERS)]
    await asyncio.sleep(0)

    with pytest.raises(TooManyViewers):
        async with asyncio.timeout(1), feeds.watch("one-more"):
            pass

    database.answers.set()
    await asyncio.gather(*watching)


def opened(database: Slow) -> Feeds:
    database.answers.set()
    return Feeds(database)  # type: ignore[arg-type]


async def watch_once(feeds: Feeds, organization_id: str) -> None:
    async with feeds.watch(organization_id):
        pass
