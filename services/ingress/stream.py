"""GET /stream: server-sent events of one organization's changes, resumable by Last-Event-ID."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schemas.vocabulary import Role
from services.ingress.feeds import Feed, Feeds, Frame, TooManyOfOrganization, TooManyViewers
from services.platform.database import DatabaseUnavailable
from services.platform.http.authentication import requires, still_may
from services.platform.http.problems import Problem, documented, invalid, unavailable
from services.platform.identity import Principal

# How often a reader hears from us; how long a right that ended is still believed, beside what a key is remembered for.
HEARTBEAT_SECONDS = 15.0
# A reader who does not take what is sent for so long is dropped; it may resume.
SEND_SECONDS = 10.0
RETRY_SECONDS = 1.0
# Streams are long: who found no room had better not ask every second.
RETRY_AFTER_SECONDS = 15
_RETRY = b"retry: 2000\n"
_MAX_POSITION = 2**63 - 1

_DESCRIPTION = (
    "Events named `promotion.changed`, whose data is a `Change` and whose id is the place in the organization's "
    "history. A comment every 15 seconds shows that the stream is alive. What was let go of the history is not "
    "sent again."
)

Allowed = Callable[[], Awaitable[bool]]


class EventStream(Response):
    """A response that goes on until the reader leaves, stalls or loses its right, or the server stops."""

    media_type = "text/event-stream"

    def __init__(
        self,
        feeds: Feeds,
        organization_id: str,
        *,
        position: int | None,
        allowed: Allowed,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"
        self._feeds = feeds
        self._organization_id = organization_id
        self._position = position
        self._allowed = allowed
        self._heartbeat_seconds = heartbeat_seconds
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what changes."""
        try:
            async with self._feeds.watch(self._organization_id) as feed:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                leaving = asyncio.create_task(_until_gone(receive))
                telling = asyncio.create_task(self._tell(feed, send))
                try:
                    await asyncio.wait({leaving, telling}, return_when=asyncio.FIRST_COMPLETED)
                    if telling.done():
                        telling.result()
                finally:
                    leaving.cancel()
                    telling.cancel()
        except TooManyOfOrganization as error:
            await _too_many(error.most).response()(scope, receive, send)
        except TooManyViewers:
            await unavailable("too many streams are open here; try again later").response()(scope, receive, send)

    async def _tell(self, feed: Feed, send: Send) -> None:
        position = feed.position if self._position is None else min(self._position, feed.position)
        loop = asyncio.get_running_loop()
        ask_at = loop.time() + self._heartbeat_seconds
        with contextlib.suppress(TimeoutError):
            # An id without data is not dispatched, but it is what the reader resumes from.
            await self._put(send, _RETRY + b"id: %d\n\n" % position)
            while not self._feeds.closing.is_set():
                news = feed.news
                frames = feed.after(position) if feed.remembers(position) else await self._read(position)
                came = bool(frames) or await _within(news, ask_at - loop.time())
                # Before anything is sent: a reader who takes it slowly gets nothing that came after his right ended.
                if loop.time() >= ask_at:
                    if not await self._allowed():
                        break
                    ask_at = loop.time() + self._heartbeat_seconds
                if frames:
                    await self._put(send, b"".join(frame.content for frame in frames))
                    position = frames[-1].position
                elif not came:
                    await self._put(send, b": still here\n\n")
            await self._put(send, b"", more=False)

    async def _put(self, send: Send, content: bytes, *, more: bool = True) -> None:
        message = {"type": "http.response.body", "body": content, "more_body": more}
        await asyncio.wait_for(send(message), self._send_seconds)

    async def _read(self, position: int) -> list[Frame]:
        try:
            return await self._feeds.page(self._organization_id, position)
        except DatabaseUnavailable:
            await asyncio.sleep(RETRY_SECONDS)
            return []


def _too_many(most: int) -> Problem:
    return Problem(
        429,
        "too_many_streams",
        f"your organization has {most} streams open here, which is the most; close one, or share one among its readers",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def router(feeds: Feeds, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> APIRouter:
    """Give the route."""
    routes = APIRouter()

    @routes.get(
        "/stream",
        tags=["changes"],
        status_code=200,
        response_class=EventStream,
        responses={
            200: {"description": _DESCRIPTION, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **documented(429),
        },
    )
    async def stream_changes(
        request: Request,
        viewer: Annotated[Principal, Depends(requires(Role.VIEWER))],
        last_event_id: Annotated[str | None, Header(description="Resume after this event; 0 from the start.")] = None,
    ) -> EventStream:
        """Stream every transition of the organization's promotions, as server-sent events."""

        async def allowed() -> bool:
            return await still_may(request, viewer, Role.VIEWER)

        return EventStream(
            feeds,
            viewer.organization_id,
            position=_position(last_event_id),
            allowed=allowed,
            heartbeat_seconds=heartbeat_seconds,
        )

    return routes


def _position(last_event_id: str | None) -> int | None:
    if last_event_id is None or not last_event_id.strip():
        return None
    text = last_event_id.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MAX_POSITION):
        raise invalid(
            "header:/last-event-id",
            "wrong_position",
            f"{text[:40]!r} is not the id of an event",
            "leave it out, or send 0",
        )
    return int(text)
