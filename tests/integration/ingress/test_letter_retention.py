"""Dead letters that were dealt with are let go after their time; open ones stay, however old."""

from datetime import UTC, datetime, timedelta

from services.ingress.letter_retention import BATCH, LOOK_EVERY_SECONDS, PAUSE_SECONDS, forget_some
from tests.integration.ingress.conftest import Door

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEPT = timedelta(days=90)
OLD, RECENT = NOW - timedelta(days=91), NOW - timedelta(days=89)


async def park(door: Door, number: int, *, replayed: datetime | None, discarded: datetime | None) -> None:
    await door.execute(
        "INSERT INTO platform.dead_letter (id, consumer_group, topic, kafka_partition, kafka_offset, "
        "kafka_timestamp_ms, headers, reason, detail, parked_at, replayed_at, discarded_at) VALUES "
        "(gen_random_uuid(), 'rules.x', 'x', 0, $1, 0, '[]', 'bad_json', '', $2, $3, $4)",
        number,
        NOW - timedelta(days=400),
        replayed,
        discarded,
    )


async def kept(door: Door) -> list[int]:
    rows = await door.execute("SELECT kafka_offset FROM platform.dead_letter ORDER BY 1")
    return [row["kafka_offset"] for row in rows]


async def test_only_what_was_dealt_with_long_ago_goes(door: Door) -> None:
    await park(door, 1, replayed=OLD, discarded=None)
    await park(door, 2, replayed=None, discarded=OLD)
    await park(door, 3, replayed=RECENT, discarded=None)
    await park(door, 4, replayed=None, discarded=RECENT)
    await park(door, 5, replayed=None, discarded=None)

    rest_seconds = await forget_some(door.platform, lambda: NOW, kept=KEPT)

    assert await kept(door) == [3, 4, 5]
    assert rest_seconds == LOOK_EVERY_SECONDS


async def test_it_goes_in_small_batches(door: Door) -> None:
    for number in range(BATCH + 1):
        await park(door, number, replayed=OLD, discarded=None)

    first = await forget_some(door.platform, lambda: NOW, kept=KEPT)
    left = len(await kept(door))
    await forget_some(door.platform, lambda: NOW, kept=KEPT)

    assert (first, left, await kept(door)) == (PAUSE_SECONDS, 1, [])
