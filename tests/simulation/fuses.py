"""Where a process may die or lose a connection: before each statement, before each commit, and after it.

A fuse counts these points and blows at the one that it was set to. After a commit its effect stands, but nobody is
told: the reply was swallowed.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


class Crash(BaseException):
    """The process died here; nothing of it runs on, so nothing may catch this."""


class Cut(ConnectionResetError):
    """The connection was lost here; the process lives on."""


@dataclass(slots=True)
class Fuse:
    """Blows at the point number ``at`` from now, counted from 0, or never."""

    at: int | None = None
    error: type[BaseException] = Crash
    passed: int = 0
    blown: str | None = None

    def set(self, at: int | None, error: type[BaseException] = Crash) -> None:
        self.at, self.error = at, error
        if at is not None:
            self.passed, self.blown = 0, None

    def point(self, place: str) -> None:
        number, self.passed = self.passed, self.passed + 1
        if number == self.at:
            self.at, self.blown = None, place
            raise self.error(place)


def wire(engine: AsyncEngine, fuse: Fuse) -> None:
    """Have everything that is done on ``engine`` pass the points of ``fuse``."""
    sync = engine.sync_engine

    @event.listens_for(sync, "before_cursor_execute")
    def before_statement(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        fuse.point(f"before {statement[:60]}")

    commit = sync.dialect.do_commit

    def commit_between_points(connection: Any) -> None:
        fuse.point("before commit")
        commit(connection)
        fuse.point("after commit")

    sync.dialect.do_commit = commit_between_points  # type: ignore[method-assign,assignment]


class FusedConnection:
    """A bare connection, as the relay has one, that passes the points of ``fuse``."""

    def __init__(self, connection: asyncpg.Connection, fuse: Fuse) -> None:
        self._connection = connection
        self._fuse = fuse

    async def fetch(self, statement: str, *arguments: Any) -> Any:
        deletes = "DELETE" in statement
        self._fuse.point("before the relay deletes" if deletes else "before the relay reads")
        rows = await self._connection.fetch(statement, *arguments)
        if deletes:
            self._fuse.point("after the relay deleted")
        return rows
