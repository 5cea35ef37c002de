"""Evidence of what is long gone is let go; what a live deployment or an unfinished promotion needs never is."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from schemas.events import PromotionRequested
from services.rules.handlers.evidence_retention import ROUND_EVERY_SECONDS, EvidenceRetention
from tests.integration.rules.conftest import World, measured, ran_tests, requested

KEPT = timedelta(days=180)


async def known_of(world: World) -> dict[str, set[str]]:
    """Name the tables that hold something of each deployment."""
    found: dict[str, set[str]] = {}
    async with world.database.begin() as connection:
        for table in ("fact", "test_run", "verdict", "watch"):
            rows = await connection.execute(text(f"SELECT DISTINCT deployment_id FROM rules.{table}"))
            for row in rows:
                found.setdefault(row.deployment_id, set()).add(table)
    return found


async def observed(world: World, *deployments: str) -> None:
    await world.observe(
        *(measured(each, at=world.now, identifier=f"m-{each}", error_rate=0.1) for each in deployments),
        *(ran_tests(each, at=world.now, identifier=f"t-{each}", outcome="success") for each in deployments),
    )
    await world.look()


async def let_go(world: World) -> float:
    retention = EvidenceRetention(database=world.database, clock=lambda: world.now, kept=KEPT)
    return await retention.step()


async def test_what_is_known_of_a_deployment_goes_half_a_year_after_it_was_replaced_twice(world: World) -> None:
    for name, status in (("old", "retired"), ("previous", "retired"), ("live", "active")):
        await world.deploy(name, status=status, deployed_at=world.after(hours=1))
    await world.deploy("elsewhere", status="removed", agent_id="agent-2")
    await observed(world, "old", "previous", "live", "elsewhere", "never-announced")
    before = set(await known_of(world))

    world.after(days=179)
    await let_go(world)
    early = set(await known_of(world))
    world.after(days=2)
    rest_seconds = await let_go(world)

    assert before == early == {"old", "previous", "live", "elsewhere", "never-announced"}
    assert set(await known_of(world)) == {"previous", "live"}
    assert rest_seconds == ROUND_EVERY_SECONDS


async def test_what_a_promotion_under_way_needs_stays(world: World) -> None:
    await world.deploy("source", status="removed")
    await observed(world, "source")
    await world.promotion(UUID(int=1), source_deployment_id="source", status="approved", status_reason="queued")
    world.after(days=400)

    await let_go(world)

    assert set(await known_of(world)) == {"source"}


async def test_a_fact_that_still_comes_in_keeps_its_deployment(world: World) -> None:
    await world.deploy("noisy", status="removed")
    await observed(world, "noisy")
    world.after(days=400)
    await world.observe(measured("noisy", at=world.now, identifier="late", error_rate=0.2))

    await let_go(world)

    assert "fact" in (await known_of(world))["noisy"]


async def test_of_an_old_promotion_the_last_evaluation_stays(world: World) -> None:
    await world.deploy()
    asked = requested(at=world.now)
    assert isinstance(asked.data, PromotionRequested)
    assert asked.data.promotion_id is not None
    promotion_id = asked.data.promotion_id
    await world.request(asked)
    async with world.database.begin() as connection:
        await connection.execute(text("UPDATE rules.request SET latest_number = 3, watching = false"))
        for number in (2, 3):
            await connection.execute(
                text(
                    "INSERT INTO rules.evaluation SELECT organization_id, promotion_id, :number, evaluated_at, "
                    "conditions, summary, holds_until, headers, value FROM rules.evaluation WHERE number = 1"
                ),
                {"number": number},
            )
        await connection.execute(text("DELETE FROM rules.unconfirmed"))
    await world.promotion(promotion_id)
    world.after(days=400)
    await let_go(world)
    under_way = await numbers(world)

    await world.promotion_became(promotion_id, status="completed", completed_at=world.now - timedelta(days=200))
    await let_go(world)

    assert (under_way, await numbers(world)) == ([1, 2, 3], [3])


async def numbers(world: World) -> list[int]:
    async with world.database.begin() as connection:
        return list(await connection.scalars(text("SELECT number FROM rules.evaluation ORDER BY number")))
