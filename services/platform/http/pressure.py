"""Whether there is room for new work: asked before anything is accepted, answered 429 where there is none.

The application keeps what knows the answer in ``app.state.pressure``; one without it takes everything.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.platform.http.problems import Problem


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no new work is taken now, as a sentence, and in how many seconds to ask again."""

    sentence: str
    retry_after_seconds: int


# Gives the refusal, None where there is room.
Pressure = Callable[[], Awaitable[Refusal | None]]


async def room_left(request: Request) -> None:
    """Let a request pass while there is room; raises a 429 that says when to come again."""
    pressure: Pressure | None = getattr(request.app.state, "pressure", None)
    refusal = None if pressure is None else await pressure()
    if refusal is not None:
        raise Problem(429, "no_room", refusal.sentence, headers={"Retry-After": str(refusal.retry_after_seconds)})


# Declared behind the caller, so that nobody unknown is told.
Room = Annotated[None, Depends(room_left)]
