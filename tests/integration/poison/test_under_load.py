"""Poison in the midst of a load: each is parked whole, and nobody waits for it, since no batch is tried again.

How long good records took from being sent to being done is told in the report (`--junit-xml`) and asserted nowhere.
`POISON=1000` sends that many among ten times as many good ones.
"""

import asyncio
import itertools
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from uuid import UUID, uuid4

from prometheus_client import REGISTRY

from schemas.cloudevents import EncodedRecord, encode
from schemas.topics import METRICS_OBSERVED
from services.platform.messaging.producer import Publisher
from services.platform.settings import Settings
from tests.integration.poison.kinds import KINDS
from tests.integration.poison.subscribers import SUBSCRIBERS, Subscriber
from tests.integration.poison.test_subscribers import (
    _consumers,
    _letters,
    _until_idle,
    house,
    own_broker_address,
    settings,
)
from tests.integration.promotion.house import House

__all__ = ["house", "own_broker_address", "settings"]
POISON = int(os.environ.get("POISON", "60"))
GOOD_FOR_EACH = 10
# A broker keeps only so much of a partition, and a megabyte is a megabyte.
AT_ONCE = 50
MOST_WAITING = 200
HUGE = {"1 MB", "deep nesting"}
SECONDS = 60 + POISON
# One organization believes nobody's figures here but the upstream service's.
_BELIEVED = (
    "INSERT INTO rules.fact_publishers VALUES ('acme', cast(:publishers AS json), now(), 'alma') ON CONFLICT DO NOTHING"
)


def test_the_subscription_is_one_of_those_that_are_tested() -> None:
    assert subscriber().name == "rules.metrics.observed"


async def test_nobody_waits_for_poison_in_the_midst_of_a_load(
    house: House, settings: Settings, record_property: Callable[[str, object], None]
) -> None:
    await house.as_owner(_BELIEVED, publishers=json.dumps({"metrics.error_rate": ["upstream"]}))
    good = [uuid4() for _ in range(POISON * GOOD_FOR_EACH)]
    poison = [(name, record) for name, record in poisonous(POISON)]
    before = {name: counted(name) for name in ("consumed", "retried")}
    consumers = _consumers(subscriber(), settings)
    await consumers.start()
    try:
        sent_at, done_at = await sent_and_done(house, settings, good, [record for _, record in poison])
        await _until_idle(consumers)
    finally:
        await consumers.stop()

    letters = await _letters(house, subscriber())
    expected = Counter((reason(name), record.key, record.headers, record.value) for name, record in poison)
    assert letters == expected
    assert set(done_at) == set(good)
    # Each record came once: no batch with poison in it, nor any behind one, was tried again.
    assert counted("retried") - before["retried"] == 0
    assert counted("consumed") - before["consumed"] == len(good) + len(poison)
    took = sorted(done_at[identifier] - sent_at[identifier] for identifier in good)
    ranks = statistics.quantiles(took, n=100, method="inclusive")
    record_property("good", len(good))
    record_property("seconds_p50_p99_most", [round(each, 2) for each in (ranks[49], ranks[98], took[-1])])


def subscriber() -> Subscriber:
    return next(each for each in SUBSCRIBERS if each.service == "rules" and each.topic == METRICS_OBSERVED)


def good_record(identifier: UUID, publisher: str = "upstream") -> EncodedRecord:
    event = subscriber().good(identifier)
    return encode(replace(event, extensions={"publisher": publisher}))


def poisonous(count: int) -> Iterator[tuple[str, EncodedRecord]]:
    """Make records of every kind that has to be parked, few of the huge ones, and some that the handler refuses."""
    names = [name for name, kind in KINDS.items() if kind.reason is not None and name not in HUGE]
    turns = itertools.chain(sorted(HUGE), itertools.cycle([*names, "not believed"]))
    for name in itertools.islice(turns, count):
        record = good_record(uuid4())
        yield name, good_record(uuid4(), "mallory") if name == "not believed" else KINDS[name].make(record)


def reason(name: str) -> str | None:
    return "publisher_not_believed" if name == "not believed" else KINDS[name].reason


async def sent_and_done(
    house: House, settings: Settings, good: list[UUID], poison: list[EncodedRecord]
) -> tuple[dict[UUID, float], dict[UUID, float]]:
    """Send everything in a mixed order, not far ahead of what is done; give when each good one was sent and done."""
    records: list[tuple[UUID | None, EncodedRecord]] = [(identifier, good_record(identifier)) for identifier in good]
    records += [(None, record) for record in poison]
    Random(1).shuffle(records)
    sent_at: dict[UUID, float] = {}
    done_at: dict[UUID, float] = {}
    publisher = Publisher(settings.bootstrap_servers, service="test")
    async with asyncio.timeout(SECONDS):
        for start in range(0, len(records), AT_ONCE):
            part = records[start : start + AT_ONCE]
            sent_at |= {identifier: time.monotonic() for identifier, _ in part if identifier is not None}
            await publisher.publish([record for _, record in part])
            await note_done(house, done_at)
            while len(sent_at) - len(done_at) > MOST_WAITING:
                await note_done(house, done_at)
        while len(done_at) < len(good):
            await note_done(house, done_at)
    await publisher.close()
    return sent_at, done_at


async def note_done(house: House, done_at: dict[UUID, float]) -> None:
    rows = await house.as_owner("SELECT DISTINCT deployment_id FROM rules.fact")
    now = time.monotonic()
    for row in rows:
        done_at.setdefault(UUID(row.deployment_id), now)
    await asyncio.sleep(0.02)


def counted(what: str) -> float:
    name = {"consumed": "promotion_records_consumed_total", "retried": "promotion_batches_retried_total"}[what]
    return REGISTRY.get_sample_value(name, {"service": "rules", "topic": METRICS_OBSERVED}) or 0.0
