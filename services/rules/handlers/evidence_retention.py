"""Goes round all deployments and requests, slowly, and lets go of evidence that nothing can need any more."""

from datetime import timedelta

import structlog

from services.platform.clock import Clock
from services.platform.database import Database
from services.rules.store.evidence import forget_deployments, forget_evaluations

PAGE = 500
PAUSE_SECONDS = 0.5
ROUND_EVERY_SECONDS = 6 * 3600.0
_START = ("", "")

_log = structlog.get_logger()


class EvidenceRetention:
    """A loop's step looks at one page of each; a round that is cut off begins anew, which is harmless."""

    def __init__(self, *, database: Database, clock: Clock, kept: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._kept = kept
        self._deployments: tuple[str, str] | None = _START
        self._requests: tuple[str, str] | None = _START

    async def step(self) -> float:
        """Look at the next page; tell how long to rest, in seconds."""
        before = self._clock() - self._kept
        forgotten = 0
        if self._deployments is not None:
            async with self._database.begin() as connection:
                page = await forget_deployments(connection, self._deployments, before=before, limit=PAGE)
            self._deployments, forgotten = page.reached, page.forgotten
        if self._requests is not None:
            async with self._database.begin() as connection:
                page = await forget_evaluations(connection, self._requests, before=before, limit=PAGE)
            self._requests, forgotten = page.reached, forgotten + page.forgotten
        if forgotten:
            _log.info("evidence let go", rows=forgotten)
        if self._deployments is None and self._requests is None:
            self._deployments = self._requests = _START
            return ROUND_EVERY_SECONDS
        return PAUSE_SECONDS
