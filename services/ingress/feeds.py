"""Changes of promotions for whoever watches: one look at PostgreSQL serves all viewers of this process.

A viewer who falls behind what is remembered here reads pages from PostgreSQL; none holds a connection.
"""

import asyncio
import contextlib
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import text

from schemas.resources import Change
from services.platform.database import Database

# How often it looks, while anybody watches; a notification for each change would make commits wait for each other.
LOOK_SECONDS = 0.1
PAUSE_SECONDS = 0.5
REMEMBERED = 1000
PAGE = 500
MAX_VIEWERS = 1000
# Of these so many at most for one organization, so that none takes the places of the others.
MOST_OF_ONE = 200

_COLUMNS = "promotion_id, version, previous_status, status, status_reason, status_message, actor, at"
_NEWER = text(
    f"SELECT h.organization_id, h.chain_seq, {_COLUMNS} "  # noqa: S608
    "FROM unnest(cast(:organizations AS text[]), cast(:positions AS bigint[])) AS f (organization_id, position) "
    "CROSS JOIN LATERAL (SELECT * FROM promotion.published_history p WHERE p.organization_id = f.organization_id "
    f"AND p.chain_seq > f.position ORDER BY p.chain_seq LIMIT {PAGE}) AS h ORDER BY h.organization_id, h.chain_seq"
)
_NEWEST = text(
    "SELECT coalesce(max(chain_seq), 0) FROM promotion.published_history WHERE organization_id = :organization_id"
)

_log = structlog.get_logger()


class TooManyViewers(Exception):
    """This process serves as many streams as it may."""


class TooManyOfOrganization(TooManyViewers):
    """The organization has as many streams here as it may: ``most``."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} streams are open")
        self.most = most


@dataclass(frozen=True, slots=True)
class Frame:
    """A change as it goes over the wire; ``position`` is its place in the organization's history."""

    position: int
    content: bytes


@dataclass(slots=True)
class Feed:
    """The newest changes of one organization, as long as somebody watches."""

    position: int
    frames: deque[Frame] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, frame: Frame) -> None:
        """Remember ``frame`` and wake who waits."""
        self.frames.append(frame)
        self.position = frame.position
        self.wake()

    def wake(self) -> None:
        """Wake who waits."""
        self.news.set()
        self.news = asyncio.Event()

    def remembers(self, position: int) -> bool:
        """Tell whether everything after ``position`` is here."""
        return position >= self.position or bool(self.frames and self.frames[0].position <= position + 1)

    def after(self, position: int) -> list[Frame]:
        """Give what came after ``position``."""
        start = bisect_right(self.frames, position, key=lambda frame: frame.position)
        return list(islice(self.frames, start, None))


class Feeds:
    """All feeds of this process and the one loop that fills them."""

    max_viewers = MAX_VIEWERS
    most_of_one = MOST_OF_ONE

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feeds: dict[str, Feed] = {}
        self._viewers: Counter[str] = Counter()
        self.closing = asyncio.Event()

    async def run(self) -> None:
        """Look for news until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look_once()
            except Exception as error:  # noqa: BLE001 - viewers wait until the database is back
                _log.warning("changes not read", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        """End every stream, so that the process may stop."""
        self.closing.set()
        for feed in self._feeds.values():
            feed.wake()

    @contextlib.asynccontextmanager
    async def watch(self, organization_id: str) -> AsyncIterator[Feed]:
        """Keep the organization's feed filled for as long as the context lasts.

        Raises TooManyOfOrganization and TooManyViewers.
        """
        if self._viewers[organization_id] >= self.most_of_one:
            raise TooManyOfOrganization(self.most_of_one)
        if self._viewers.total() >= self.max_viewers:
            raise TooManyViewers
        # Before anything is waited for, so that those who come at one time are counted as well.
        self._viewers[organization_id] += 1
        try:
            if organization_id not in self._feeds:
                newest = await self._newest(organization_id)
                self._feeds.setdefault(organization_id, Feed(newest))
            yield self._feeds[organization_id]
        finally:
            self._viewers[organization_id] -= 1
            if not self._viewers[organization_id]:
                del self._viewers[organization_id]
                self._feeds.pop(organization_id, None)

    async def page(self, organization_id: str, position: int) -> list[Frame]:
        """Read what came after ``position`` from PostgreSQL, at most a page of it."""
        return [frame for _, frame in await self._newer({organization_id: position})]

    async def _look_once(self) -> None:
        positions = {organization_id: feed.position for organization_id, feed in self._feeds.items()}
        if not positions:
            return
        for organization_id, frame in await self._newer(positions):
            feed = self._feeds.get(organization_id)
            if feed is not None and frame.position > feed.position:
                feed.add(frame)

    async def _newest(self, organization_id: str) -> int:
        async with self._database.begin(organizations=(organization_id,)) as connection:
            result = await connection.execute(_NEWEST, {"organization_id": organization_id})
            return int(result.scalar_one())

    async def _newer(self, positions: dict[str, int]) -> Sequence[tuple[str, Frame]]:
        async with self._database.begin(organizations=positions, keeps_plans=True) as connection:
            rows = await connection.execute(
                _NEWER, {"organizations": list(positions), "positions": list(positions.values())}
            )
            return [(row.organization_id, _frame(row)) for row in rows]


def _frame(row: Any) -> Frame:
    change = Change.model_validate(row, from_attributes=True)
    return Frame(
        row.chain_seq,
        b"id: %d\nevent: promotion.changed\ndata: %s\n\n" % (row.chain_seq, change.model_dump_json().encode()),
    )
