"""Looks at deployments again: releases requests that waited for them, or refuses those that waited too long."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.platform.clock import Clock
from services.platform.database import Database
from services.rules.domain.evaluation import Evaluation, Ready, evaluate_request, prepare, refuse_request
from services.rules.domain.facts import Facts
from services.rules.domain.request import Refused, Unseen, never_seen
from services.rules.domain.surroundings import Surroundings
from services.rules.handlers.requests import RequestDesk
from services.rules.store.rechecks import Cause, Recheck, add_rechecks, lock_due_rechecks, next_due, take
from services.rules.store.requests import KeptRequest, advance, lock_waiting
from services.rules.store.rule_books import RuleBooks
from services.rules.store.surroundings import load_surroundings

BATCH = 200
LONGEST_REST_SECONDS = 1.0
LONGEST_PAUSE = timedelta(seconds=5)
# Inventory consumes the same announcement by itself; it is waited for at most this many times.
MOST_LOOKS = 200

_log = structlog.get_logger()


class Lookout:
    """The loop that looks at deployments of which something changed; several may run at once."""

    def __init__(
        self, *, database: Database, desk: RequestDesk, books: RuleBooks, clock: Clock, hold_seconds: float
    ) -> None:
        self._database = database
        self._desk = desk
        self._books = books
        self._clock = clock
        self._hold_seconds = hold_seconds

    async def step(self) -> float:
        """Look at what is due; tell how long to rest, in seconds."""
        now = self._clock()
        async with self._database.begin() as connection:
            due = await lock_due_rechecks(connection, now=now, limit=BATCH)
            if due:
                await self._look(connection, due, now)
        if len(due) >= BATCH:
            return 0.0
        async with self._database.begin() as connection:
            upcoming = await next_due(connection)
        return rest_seconds(upcoming, now)

    async def _look(self, connection: AsyncConnection, due: Sequence[Recheck], now: datetime) -> None:
        keys = {each.key for each in due}
        surroundings = await load_surroundings(connection, keys)
        waiting = await lock_waiting(connection, keys)
        held = [each for each in waiting if each.hold_until is not None]
        evaluations = await self._release(connection, held, surroundings, now)
        records = await advance(connection, evaluations)
        await self._desk.publish(connection, evaluations, records, now)
        released = {each.request.key for each in evaluations}
        still_held = {
            (each.request.organization_id, each.request.source_deployment_id)
            for each in held
            if each.request.key not in released
        }
        await take(connection, due)
        await add_rechecks(connection, _again(due, still_held, surroundings, now))

    async def _release(
        self,
        connection: AsyncConnection,
        held: Sequence[KeptRequest],
        surroundings: Surroundings,
        now: datetime,
    ) -> list[Evaluation]:
        if not held:
            return []
        earliest: dict[str, datetime] = {}
        for each in held:
            organization_id = each.request.organization_id
            earliest[organization_id] = min(earliest.get(organization_id, now), each.request.created_at)
        books = await self._books.open(connection, earliest)
        evaluations: list[Evaluation] = []
        for each in held:
            request, number = each.request, each.latest_number + 1
            match prepare(request, books[request.organization_id], surroundings):
                case Ready() as ready:
                    evaluations.append(evaluate_request(ready, number=number, facts=Facts(), now=now))
                case Refused() as refusal:
                    evaluations.append(refuse_request(request, refusal, number=number, now=now))
                case Unseen():
                    if each.hold_until is not None and each.hold_until <= now:
                        refusal = never_seen(request, self._hold_seconds)
                        evaluations.append(refuse_request(request, refusal, number=number, now=now))
        return evaluations


def rest_seconds(upcoming: datetime | None, now: datetime) -> float:
    """Give how long to rest when something is due at ``upcoming``."""
    if upcoming is None:
        return LONGEST_REST_SECONDS
    return min(max((upcoming - now).total_seconds(), 0.02), LONGEST_REST_SECONDS)


def _again(
    due: Sequence[Recheck], still_held: set[tuple[str, str]], surroundings: Surroundings, now: datetime
) -> list[Recheck]:
    """Give the looks that have to be repeated: inventory lags behind, or a request is still held."""
    again: dict[tuple[str, str], Recheck] = {}
    for each in due:
        lags = each.cause is Cause.DEPLOYMENT and not _shown(each, surroundings) and each.attempts < MOST_LOOKS
        if lags or each.key in still_held:
            pause = min(timedelta(milliseconds=50) * 2 ** min(each.attempts, 10), LONGEST_PAUSE)
            repeated = replace(each, due_at=now + pause, attempts=each.attempts + 1)
            known = again.get(each.key)
            if known is None or known.cause is not Cause.DEPLOYMENT:
                again[each.key] = repeated
    return list(again.values())


def _shown(announced: Recheck, surroundings: Surroundings) -> bool:
    return any(
        each.gateway_id == announced.gateway_id
        and (announced.deployed_at is None or each.deployed_at >= announced.deployed_at)
        for each in surroundings.known.get(announced.key, ())
    )
