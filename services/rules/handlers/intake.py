"""Takes what is observed of deployments: each event once, whatever the order, and never from the future."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import DeploymentCompleted, Event, MetricsObserved, TestsCompleted, event_source
from schemas.values import dataclass
from schemas.vocabulary import DeploymentOutcome
from services.platform.messaging.consumer import SomeUnprocessable, Unprocessable
from services.rules.domain.facts import (
    FIELDS,
    Admitted,
    Counts,
    Fact,
    HeldUntil,
    Parked,
    RunEvent,
    admit,
    deployment_facts,
    last_written,
    metric_facts,
)
from services.rules.domain.looks import Cause, Recheck, concerns_rules, shown
from services.rules.domain.publishers import Publishers
from services.rules.domain.surroundings import DeploymentKey
from services.rules.store.facts import FactKey, save_facts, save_history, save_runs
from services.rules.store.ledger import Early, Standing, set_aside, take_note
from services.rules.store.publishers import publishers_of
from services.rules.store.rechecks import add_rechecks
from services.rules.store.requests import watched_deployments
from services.rules.store.rule_books import RuleBooks
from services.rules.store.surroundings import load_known

_TEST_FIELDS = frozenset(path for path in FIELDS if path.startswith("tests."))


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a batch of events says: facts by field, facts by minute, run events, and what to look at for it."""

    facts: dict[FactKey, Fact]
    history: dict[tuple[FactKey, datetime], Fact]
    runs: list[tuple[DeploymentKey, RunEvent]]


class Intake:
    """Where facts come in; one for each process."""

    def __init__(self, *, books: RuleBooks) -> None:
        self._books = books

    async def take(self, connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
        """Take a batch of ``tests.completed`` or ``metrics.observed``."""
        fresh = await self._new_and_timely(connection, events, now)
        await self.keep(connection, fresh, now)

    async def take_announcements(self, connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
        """Take a batch of ``deployment.completed``: facts, and news for whatever waits for a deployment."""
        fresh = await self._new_and_timely(connection, events, now)
        await self.keep(connection, fresh, now)
        await add_rechecks(connection, await self._worth_a_look(connection, _announced(events, now), now))

    async def _worth_a_look(
        self, connection: AsyncConnection, announced: Sequence[Recheck], now: datetime
    ) -> list[Recheck]:
        """Leave out what inventory shows already, no rule acts on and no request waits for: most of what is deployed.

        The rules are held, for a rule that changes has those deployments looked at that it finds. Where they cannot be,
        all is looked at.
        """
        keys = {each.key for each in announced}
        organizations = {organization_id for organization_id, _ in keys}
        books = await self._books.hold(connection, organizations, now)
        surroundings = await load_known(connection, keys, organizations)
        awaited = await watched_deployments(connection, keys)
        return [
            each
            for each in announced
            if each.key in awaited or not shown(each, surroundings) or concerns_rules(each, books, surroundings)
        ]

    async def keep(self, connection: AsyncConnection, events: Sequence[Event], now: datetime) -> None:
        """Keep what events say that were taken note of, and ask for the rules that read it to be evaluated."""
        believed = await self._believed(connection, events)
        gathered = gather(events, believed)
        await save_facts(connection, gathered.facts)
        await save_history(connection, [(key, fact) for (key, _), fact in gathered.history.items()])
        await save_runs(connection, gathered.runs)
        await add_rechecks(connection, await self._looks(connection, _changed_fields(gathered), now))

    async def _new_and_timely(self, connection: AsyncConnection, events: Sequence[Event], now: datetime) -> list[Event]:
        refused: dict[int, Unprocessable] = {}
        early: dict[int, Early] = {}
        for place, event in enumerate(events):
            match admit(event.time, now=now):
                case Parked(message):
                    refused[place] = Unprocessable("future", f"event {event.id} of {event.source} {message}")
                case HeldUntil(instant):
                    early[place] = Early(event, _deployment_id(event), instant)
                case Admitted():
                    pass
        believed = await self._believed(connection, events)
        refused |= {
            place: _unbelieved(event)
            for place, event in enumerate(events)
            if place not in refused and not _counts(event, believed)
        }
        standings = await take_note(connection, events, now=now)
        for place, standing in enumerate(standings):
            if standing is Standing.REUSED:
                refused.setdefault(place, _reused(events[place]))
        if refused:
            raise SomeUnprocessable(refused)
        fresh = [place for place, standing in enumerate(standings) if standing is Standing.FRESH]
        await set_aside(connection, [early[place] for place in fresh if place in early])
        return [events[place] for place in fresh if place not in early]

    async def _believed(self, connection: AsyncConnection, events: Sequence[Event]) -> dict[str, Publishers]:
        return await publishers_of(connection, {event.data.organization_id for event in events}) if events else {}

    async def _looks(
        self, connection: AsyncConnection, changed: dict[DeploymentKey, frozenset[str]], now: datetime
    ) -> list[Recheck]:
        if not changed:
            return []
        books = await self._books.open(connection, {organization_id: now for organization_id, _ in changed})
        watched = await watched_deployments(connection, changed)
        looks: list[Recheck] = []
        for key in sorted(changed):
            read = changed[key] & books[key[0]].fields
            if read or key in watched:
                looks.append(Recheck(*key, Cause.FACT, now, fields=read))
        return looks


def gather(events: Sequence[Event], believed: Mapping[str, Publishers]) -> Gathered:
    """Put together what a batch says that counts; of several facts of one field the last written stands."""
    gathered = Gathered({}, {}, [])
    for event in events:
        data = event.data
        if isinstance(data, TestsCompleted):
            if _counts(event, believed):
                gathered.runs.append(((data.organization_id, data.deployment_id), _run_event(event, data)))
            continue
        for path, fact in _facts(event).items():
            if not _believes(event, path, believed):
                continue
            key = (data.organization_id, _deployment_id(event), path)
            gathered.facts[key] = last_written(gathered.facts.get(key), fact)
            minute = (key, fact.observed_at.replace(second=0, microsecond=0))
            gathered.history[minute] = last_written(gathered.history.get(minute), fact)
    return gathered


def _counts(event: Event, believed: Mapping[str, Publishers]) -> bool:
    """Tell whether anything that the event says counts; of a test run, all of its fields have to."""
    match event.data:
        case TestsCompleted():
            return all(_believes(event, path, believed) for path in _TEST_FIELDS)
        case MetricsObserved():
            return any(_believes(event, path, believed) for path in _facts(event))
        case _:
            # That a deployment exists is inventory's to believe; which of its facts count is asked of each.
            return True


def _believes(event: Event, path: str, believed: Mapping[str, Publishers]) -> bool:
    organization_id = event.data.organization_id
    publishers = believed.get(organization_id)
    # What our own executor says of its deployments is nobody else's to allow.
    if publishers is None or event.source == event_source("executor", organization_id):
        return True
    return publishers.believes(path, event.extensions.get("publisher"))


def _unbelieved(event: Event) -> Unprocessable:
    publisher = event.extensions.get("publisher", "nobody that is known")
    return Unprocessable(
        "publisher_not_believed",
        f"event {event.id} is of {publisher!r}, whose facts the organization does not believe; "
        "PUT /fact-publishers says whose it does",
    )


def _changed_fields(gathered: Gathered) -> dict[DeploymentKey, frozenset[str]]:
    changed: dict[DeploymentKey, set[str]] = {}
    for organization_id, deployment_id, path in gathered.facts:
        changed.setdefault((organization_id, deployment_id), set()).add(path)
    for key, _ in gathered.runs:
        changed.setdefault(key, set()).update(_TEST_FIELDS)
    return {key: frozenset(fields) for key, fields in changed.items()}


def _facts(event: Event) -> dict[str, Fact]:
    match event.data:
        case MetricsObserved() as data:
            return metric_facts(data.metrics, observed_at=event.time, source=event.source, event_id=event.id)
        case DeploymentCompleted(status=DeploymentOutcome.SUCCEEDED) as data:
            return deployment_facts(
                version=data.version,
                environment=data.environment,
                observed_at=event.time,
                source=event.source,
                event_id=event.id,
            )
        case _:
            return {}


def _run_event(event: Event, data: TestsCompleted) -> RunEvent:
    counted = data.status == "finished" and data.passed is not None and data.failed is not None
    return RunEvent(
        suite=data.suite,
        run_id=data.run_id,
        finished=data.status == "finished",
        observed_at=event.time,
        source=event.source,
        event_id=event.id,
        counts=Counts(data.passed or 0, data.failed or 0, data.errors or 0, data.skipped or 0) if counted else None,
        outcome=data.outcome,
    )


def _deployment_id(event: Event) -> str:
    data = event.data
    assert isinstance(data, (TestsCompleted, MetricsObserved, DeploymentCompleted))
    return data.deployment_id


def _reused(event: Event) -> Unprocessable:
    return Unprocessable(
        "id_reuse",
        f"event {event.id} of {event.source} was taken before with other content; give each event an id of its own",
    )


def _announced(events: Sequence[Event], now: datetime) -> list[Recheck]:
    looks: dict[tuple[str, str, str], Recheck] = {}
    for event in events:
        data = event.data
        assert isinstance(data, DeploymentCompleted)
        look = Recheck(
            data.organization_id,
            data.deployment_id,
            Cause.DEPLOYMENT,
            now,
            gateway_id=data.gateway_id,
            deployed_at=data.deployed_at,
        )
        looks[(*look.key, data.gateway_id)] = look
    return list(looks.values())
