"""When no new work is taken: what waits is too much, or a broker that holds little has a consumer that is silent."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from schemas.topics import PROMOTION_REQUESTED
from services.ingress.pressure import Gauge, Load, Room, load_of
from services.platform.reports import SILENT_AFTER, Report

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = Room(outbox_rows=100, lag=10, consumers_must_report=True)
REPORT = Report(
    service="rules",
    instance="a",
    started_at=NOW,
    reported_at=NOW,
    trouble=(),
    lag={PROMOTION_REQUESTED: 4},
    outbox_rows=7,
    outbox_oldest_at=None,
    last_error=None,
    last_error_at=None,
)


def test_there_is_room_below_the_limits_and_none_at_them() -> None:
    below = Load({"promotion": 99}, {("rules", PROMOTION_REQUESTED): 9})

    assert ROOM.refusal(below) is None
    full = ROOM.refusal(replace(below, outbox_rows={"promotion": 100}))
    behind = ROOM.refusal(replace(below, lag={("rules", PROMOTION_REQUESTED): 10}))
    assert full is not None
    assert "100 records of promotion wait to be published" in full.sentence
    assert behind is not None
    assert "10 records of promotion.requested wait for rules" in behind.sentence


def test_a_silent_consumer_leaves_no_room_where_the_broker_holds_little() -> None:
    load = Load({}, {}, silent=["rules"])

    assert ROOM.refusal(load) is not None
    assert replace(ROOM, consumers_must_report=False).refusal(load) is None


def test_workers_of_one_service_wait_for_the_sum_of_their_records() -> None:
    load = load_of([REPORT, replace(REPORT, instance="b")], {}, now=NOW, patient=False)

    assert load.lag == {("rules", PROMOTION_REQUESTED): 8}
    assert load.silent == []


def test_what_was_counted_here_counts_and_not_what_was_reported_of_it_before() -> None:
    load = load_of([REPORT, replace(REPORT, service="promotion")], {"promotion": 3}, now=NOW, patient=False)

    assert load.outbox_rows == {"promotion": 3, "rules": 7}


def test_an_old_report_is_silence_unless_another_worker_speaks_or_we_have_just_started() -> None:
    later = NOW + SILENT_AFTER
    speaking = replace(REPORT, instance="b", reported_at=later)

    assert load_of([REPORT], {}, now=later, patient=False).silent == ["rules"]
    assert load_of([REPORT], {}, now=later, patient=False).lag == {}
    assert load_of([REPORT, speaking], {}, now=later, patient=False).silent == []
    assert load_of([REPORT], {}, now=later, patient=True).silent == ()


class Looks:
    """Counts the looks; answers what it is told to."""

    def __init__(self) -> None:
        self.load = Load({"promotion": 100}, {})
        self.count = 0
        self.error: Exception | None = None

    async def __call__(self) -> Load:
        self.count += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.load


async def test_many_who_ask_at_once_are_answered_by_one_look_a_second() -> None:
    looks, seconds = Looks(), [0.0]
    gauge = Gauge(looks, ROOM, elapsed=lambda: seconds[0])

    answers = await asyncio.gather(*(gauge() for _ in range(50)))
    looks.load = Load({}, {})
    seconds[0] = 0.9
    remembered = await gauge()
    seconds[0] = 1.0
    fresh = await gauge()

    assert (looks.count, None in answers) == (2, False)
    assert remembered is not None
    assert fresh is None


async def test_a_look_that_fails_refuses_nobody() -> None:
    looks = Looks()
    looks.error = OSError("away")

    assert await Gauge(looks, ROOM)() is None


async def test_who_gives_up_waiting_does_not_end_the_look_of_the_others() -> None:
    looks = Looks()
    gauge = Gauge(looks, ROOM)
    impatient, patient = asyncio.create_task(gauge()), asyncio.create_task(gauge())
    await asyncio.sleep(0)

    impatient.cancel()

    assert await patient is not None
