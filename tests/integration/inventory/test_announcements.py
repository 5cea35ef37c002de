"""Announcements on a real database: folded once, in one order for all readers, whoever writes at the same time."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from schemas.events import DeploymentCompleted, Event
from services.inventory.consumer import apply
from services.platform.database import Database
from services.platform.messaging.consumer import Unprocessable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=1)


def completed(deployment_id: str, minute: int, *, source: str = "/ci", **fields: Any) -> Event:
    data = DeploymentCompleted.model_validate(
        {
            "organization_id": "acme",
            "deployment_id": deployment_id,
            "agent_id": "agent",
            "environment": "staging",
            "gateway_id": "gw",
            "version": "1",
            "status": "succeeded",
            "deployed_at": NOON + timedelta(minutes=minute),
            **fields,
        }
    )
    return Event(
        topic="deployment.completed",
        key=deployment_id,
        id=f"{deployment_id}-{minute}",
        source=source,
        subject=deployment_id,
        time=data.deployed_at,
        data=data,
    )


@pytest.fixture
async def inventory(database: str) -> AsyncIterator[Database]:
    pool = Database(database, role="promotion_inventory", application_name="test", every_organization=True)
    yield pool
    await pool.close()


async def take(inventory: Database, events: Sequence[Event]) -> None:
    async with inventory.begin() as connection:
        await apply(connection, events, NOW)


async def shown(database: str, columns: str = "deployment_id, status") -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(database, server_settings={"app.organizations": "*"})
    try:
        rows = await connection.fetch(
            f"SELECT {columns} FROM inventory.published_deployment ORDER BY organization_id, gateway_id, deployment_id"
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def test_a_batch_that_comes_again_changes_nothing(inventory: Database, database: str) -> None:
    events = [completed("a", 1), completed("b", 2), completed("c", 3, gateway_id="other"), completed("b", 2)]
    await take(inventory, events)
    before = await shown(database, "*")

    await take(inventory, events)

    assert await shown(database, "*") == before
    assert await shown(database) == [("a", "retired"), ("b", "active"), ("c", "active")]


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_in_any_batches_ends_the_same(inventory: Database, database: str, seed: int) -> None:
    events = [
        completed(f"d{number:02}", number, gateway_id=f"gw{number % 2}", agent_id=f"agent{number % 3}")
        for number in range(24)
    ]
    events += [completed(f"d{number:02}", number + 1, gateway_id=f"gw{number % 2}", agent_id=f"agent{number % 3}",
               status=status) for number, status in ((23, "removed"), (22, "failed"), (3, "removed"))]  # fmt: skip
    shuffled = random.Random(seed).sample(events, len(events))

    for start in range(0, len(shuffled), 5):
        await take(inventory, shuffled[start : start + 5])

    found = {row[0]: row[1] for row in await shown(database)}
    newest = {(number % 2, number % 3): number for number in range(24)}
    expected = {f"d{number:02}": "retired" for number in range(24)} | {f"d{n:02}": "active" for n in newest.values()}
    # What failed never took the place of the one before it; what was removed did.
    assert found == expected | {"d23": "removed", "d22": "failed", "d16": "active", "d03": "removed"}


async def test_writers_at_the_same_time_neither_deadlock_nor_leave_two_active(
    inventory: Database, database: str
) -> None:
    organizations = ["acme", "globex", "initech"]
    batches = [
        [
            completed(f"d{batch}-{number}", batch * 7 % 5 + number, organization_id=organizations[(batch + number) % 3])
            for number in range(9)
        ]
        for batch in range(8)
    ]

    await asyncio.gather(*(take(inventory, batch) for batch in batches))

    statuses = await shown(database, "organization_id, status")
    assert [statuses.count((organization, "active")) for organization in organizations] == [1, 1, 1]
    assert len(statuses) == 72


async def test_every_change_is_later_than_the_ones_before_it(inventory: Database, database: str) -> None:
    moments = []
    for minute in range(5):
        await take(inventory, [completed("a", minute)])
        [[changed_at]] = await shown(database, "changed_at")
        moments.append(changed_at)

    assert moments == sorted(set(moments))


async def test_an_unregistered_gateway_and_an_unheard_of_environment_are_kept(
    inventory: Database, database: str
) -> None:
    await take(inventory, [completed("a", 1, gateway_id="nobody-knows", environment="moon")])

    assert await shown(database, "gateway_id, environment, status") == [("nobody-knows", "moon", "active")]


async def test_what_contradicts_or_comes_from_the_future_is_for_people_to_see(inventory: Database) -> None:
    await take(inventory, [completed("a", 1)])

    with pytest.raises(Unprocessable, match="version '1', not '2'") as contradiction:
        await take(inventory, [completed("a", 2, version="2")])
    with pytest.raises(Unprocessable, match="lies ahead") as future:
        await take(inventory, [completed("b", 60 * 48)])

    assert (contradiction.value.code, future.value.code) == ("contradiction", "from_the_future")


@pytest.mark.parametrize(
    ("role", "column", "allowed"),
    [
        ("promotion_promotion", "credential", False),
        ("promotion_rules", "credential", False),
        ("promotion_ingress", "credential", False),
        ("promotion_executor", "credential", True),
        ("promotion_promotion", "is_default", True),
        ("promotion_rules", "environment", True),
    ],
)
async def test_a_gateways_credential_is_for_the_executor_alone(
    database: str, role: str, column: str, allowed: bool
) -> None:
    connection = await asyncpg.connect(database)
    try:
        may = await connection.fetchval(
            "SELECT has_column_privilege($1, 'inventory.published_gateway', $2, 'SELECT')", role, column
        )
    finally:
        await connection.close()

    assert may is allowed
