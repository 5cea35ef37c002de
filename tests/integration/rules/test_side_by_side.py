"""Several workers and repeated deliveries at once: nothing twice, nothing lost, no deadlock."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.cloudevents import encode
from schemas.events import Event
from services.platform import database
from services.platform.messaging.consumer import BatchProcessor, Subscription
from services.platform.messaging.dead_letters import Record
from services.platform.messaging.outbox import Outbox
from services.rules.store.requests import watched_deployments
from tests.integration.rows_read import rows_read
from tests.integration.rules.conftest import World, announced, measured, ran_tests, requested
from tests.integration.rules.test_promoting_by_itself import QUIET, automatic, restarted

MANY = 60
_MANY_WAIT = """INSERT INTO rules.request SELECT (jsonb_populate_record(one, jsonb_build_object(
    'promotion_id', gen_random_uuid(), 'source_deployment_id', 'copy-' || n))).*
    FROM (SELECT r FROM rules.request AS r LIMIT 1) AS found(one), generate_series(1, 20000) AS n"""


async def crowd(world: World) -> None:
    for number in range(MANY):
        await world.deploy(f"dep-{number:02}", agent_id=f"agent-{number}", version=f"{number}", digest=None)


async def test_two_lookouts_and_two_intakes_start_each_promotion_once(world: World) -> None:
    await crowd(world)
    await automatic(world, QUIET)
    await world.look()
    events = [
        measured(f"dep-{number:02}", at=world.now, identifier=f"m-{number}", error_rate=0) for number in range(MANY)
    ]
    lookouts = [restarted(world), restarted(world)]

    async def look(which: int) -> None:
        for _ in range(10):
            await lookouts[which].step()

    await asyncio.gather(
        world.observe(*events), world.observe(*reversed(events)), look(0), look(1), world.observe(*events), look(0)
    )
    await world.look()

    asked = Counter(each.source_deployment_id for each in await world.requests())
    assert asked == {f"dep-{number:02}": 1 for number in range(MANY)}


async def test_evaluations_are_numbered_without_gap_or_repetition_whoever_makes_them(world: World) -> None:
    await crowd(world)
    await world.rule(requires_approval=False, conditions=QUIET)
    requests = [requested(source_deployment_id=f"dep-{n:02}", agent_id=f"agent-{n}") for n in range(MANY)]
    await asyncio.gather(world.request(*requests), world.request(*requests), world.request(*requests[::-1]))
    lookouts = [restarted(world), restarted(world)]
    for rate in (0, 0.9, 0):
        await world.observe(*(measured(f"dep-{n:02}", at=world.after(seconds=1), error_rate=rate) for n in range(MANY)))
        await asyncio.gather(*(lookout.step() for lookout in lookouts for _ in range(3)))
        await world.look()

    numbers: dict[object, list[int]] = {}
    for each in await world.evaluations():
        numbers.setdefault(each.promotion_id, []).append(each.number)

    # A repeated request repeats the first evaluation; the others are told once.
    assert {tuple(sorted(set(each))) for each in numbers.values()} == {(1, 2, 3, 4)}
    assert all(Counter(each)[number] == 1 for each in numbers.values() for number in (2, 3, 4))


async def test_a_batch_with_reused_ids_parks_those_and_keeps_the_rest(world: World) -> None:
    first = measured(at=world.now, identifier="m-1", error_rate=0.1)
    await world.observe(first)
    batch = [
        measured("dep-2", at=world.now, identifier="m-2", error_rate=0.2),
        measured("dep-1", at=world.now, identifier="m-1", error_rate=0.9),
        measured("dep-3", at=world.now.replace(year=2027), identifier="m-3", error_rate=0.3),
        measured("dep-4", at=world.now, identifier="m-4", error_rate=0.4),
        first,
    ]

    await process(world, batch)
    await process(world, batch)

    async with world.owner.begin() as connection:
        parked = await connection.execute(text("SELECT reason, detail FROM platform.dead_letter ORDER BY reason"))
        assert [row.reason for row in parked] == ["future", "id_reuse"]
        kept = await connection.execute(text("SELECT deployment_id, value FROM rules.fact ORDER BY 1"))
        assert [tuple(row) for row in kept] == [("dep-1", "0.1"), ("dep-2", "0.2"), ("dep-4", "0.4")]


async def test_a_crash_between_keeping_facts_and_looking_loses_nothing(world: World) -> None:
    await world.deploy()
    await automatic(world, QUIET)
    await world.observe(measured(at=world.now, identifier="m-1", error_rate=0))

    world.lookout = restarted(world)
    await world.observe(measured(at=world.now, identifier="m-1", error_rate=0))
    await world.look()

    assert len(await world.requests()) == 1


async def test_who_waits_for_a_deployment_is_found_without_reading_who_waits_for_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(_connection: AsyncConnection) -> None:
        """The plan that was made for a few has to do for as many as come before it is made anew."""

    monkeypatch.setattr(database, "_plan_anew", keep)
    names = ["dep-1", "dep-2", *(f"copy-{number}" for number in range(1, 100))]
    await world.deploy()
    await world.rule(requires_approval=True, required_approvers=1, conditions=QUIET)
    await world.request(requested())
    async with world.database.begin(organizations={"acme"}, keeps_plans=True) as connection:
        await watched_deployments(connection, {("acme", name) for name in names})
    async with world.owner.begin() as connection:
        await connection.execute(text(_MANY_WAIT))

    async with world.database.begin(organizations={"acme"}, keeps_plans=True) as connection:
        waiting = await watched_deployments(connection, {("acme", name) for name in names})
        read = await rows_read(connection, "rules.request")

    assert len(waiting) == 100
    assert read < 500


async def test_an_announcement_is_waited_for_as_long_as_inventory_lags(world: World) -> None:
    await automatic(world, QUIET)
    await world.observe(measured(at=world.now, error_rate=0))
    event = announced(at=world.now)
    await world.announce(event)
    await world.announce(replace(event))
    for _ in range(10):
        world.after(seconds=3)
        await world.look()
    await world.deploy(deployed_at=event.time)
    world.after(seconds=5)

    await world.look()

    assert len(await world.requests()) == 1
    world.after(seconds=30)
    await world.look()
    async with world.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM rules.recheck")) == 0


async def test_what_is_old_is_let_go_and_what_still_counts_is_kept(world: World) -> None:
    from services.rules.handlers.retention import Retention

    await world.deploy()
    await automatic(world, QUIET)
    await world.observe(
        measured(at=world.now, error_rate=0),
        ran_tests(at=world.now, run_id="old"),
        ran_tests(at=world.after(seconds=1), run_id="last"),
    )
    await world.look()
    world.after(days=31)

    await Retention(database=world.database, clock=lambda: world.now).step()

    async with world.database.begin() as connection:
        for table, left in (
            ("seen_event", 0),
            ("fact_history", 0),
            ("fact", 1),
            ("test_run", 1),
            ("auto_promotion", 1),
        ):
            assert await connection.scalar(text(f"SELECT count(*) FROM rules.{table}")) == left, table


async def process(world: World, events: list[Event]) -> None:
    processor = BatchProcessor(
        Subscription(topics.METRICS_OBSERVED, world.intake.take),
        service="rules",
        database=world.database,
        outbox=Outbox("rules"),
        clock=lambda: world.now,
        committed=lambda: None,
    )
    records = []
    for offset, event in enumerate(events):
        encoded = encode(event)
        records.append(Record(encoded.topic, 0, offset, 0, encoded.key, encoded.headers, encoded.value))
    await processor.process(records)
