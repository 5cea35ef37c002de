"""Where too much waits, nothing new is accepted, and everything else goes on."""

from datetime import UTC, datetime

from services.ingress.pressure import Gauge, LookAround, Room
from services.platform.clock import utc_now
from tests.integration.ingress.conftest import Door

CREATE = {"agent_id": "a", "source_deployment_id": "d", "target_environment": "staging"}


def limit(door: Door, *, outbox_rows: int = 1000, lag: int = 1000) -> None:
    """Give the running ingress these limits."""
    state = door.ingress.app.state
    gauge: Gauge = state.pressure
    assert isinstance(gauge.look, LookAround)
    room = Room(outbox_rows, lag, consumers_must_report=False)
    seconds = iter(range(10_000))
    state.pressure = Gauge(
        LookAround(gauge.look.outboxes, gauge.look.reports, utc_now, exact_from=outbox_rows),
        room,
        elapsed=lambda: float(next(seconds)),
    )


async def fill(door: Door, schema: str, rows: int) -> None:
    await door.execute(
        f"INSERT INTO {schema}.outbox (topic, headers) SELECT 'nowhere', '[]' FROM generate_series(1, {rows})"
    )


async def test_a_full_outbox_is_a_429_with_retry_after_and_then_forgotten(door: Door) -> None:
    limit(door, outbox_rows=20)
    await fill(door, "promotion", 20)

    creating = await door.call("POST", "/api/v1/promotions", CREATE)
    telling = await door.call("POST", "/api/v1/events", {})
    looking = await door.call("GET", "/api/v1/promotions")
    unknown = await door.call("POST", "/api/v1/promotions", CREATE, role=None)
    await door.execute("DELETE FROM promotion.outbox")
    after = await door.call("POST", "/api/v1/promotions", CREATE)

    assert [(each.status, each.headers.get("Retry-After")) for each in (creating, telling)] == [(429, "2")] * 2
    assert creating.body["type"] == "urn:promotion:problem:no_room"
    assert (looking.status, unknown.status) == (200, 401)
    # There is no such deployment, which is looked up only where there is room.
    assert after.status == 422


async def test_gaps_of_transactions_that_were_rolled_back_are_no_rows(door: Door) -> None:
    limit(door, outbox_rows=20)
    await fill(door, "promotion", 30)
    await door.execute("DELETE FROM promotion.outbox WHERE id > 1 AND id < 30")

    answer = await door.call("POST", "/api/v1/promotions", CREATE)

    assert answer.status == 422


async def test_records_that_wait_for_a_service_are_counted_as_it_reports_them(door: Door) -> None:
    limit(door, lag=5)
    await door.execute(
        "INSERT INTO platform.service_report VALUES ('rules', 'r1', $1, $1, '{}', "
        "'{\"promotion.requested\": 5}', 0, NULL, NULL, NULL)",
        datetime.now(UTC),
    )

    answer = await door.call("POST", "/api/v1/promotions", CREATE)

    assert (answer.status, answer.body["detail"].split(";")[0]) == (
        429,
        "5 records of promotion.requested wait for rules",
    )
