"""Lists of which there are few among very many: PostgreSQL reads what it gives, not all that there is."""

from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.platform import database
from services.promotion import listing, overviews, store
from services.promotion.domain.promotion import Slot
from tests.integration.promotion.copies import multiply
from tests.integration.promotion.house import ORGANIZATION, House, completion, evaluation
from tests.integration.rows_read import rows_read

FEW = 500

_WAIT = """UPDATE promotion.promotion SET status = 'approved', status_reason = 'conditions_unmet', completed_at = NULL,
    created_at = created_at + interval '1 second'"""
_END = "UPDATE promotion.promotion SET status = 'completed', status_reason = 'deployed', completed_at = created_at"
_QUEUE = "UPDATE promotion.promotion SET status = 'approved', status_reason = 'queued', completed_at = NULL"
_COMPLETED = {"status": "'completed'", "status_reason": "'deployed'", "completed_at": "changed_at"}


async def _churn(house: House) -> None:
    """Have every promotion wait, again and again, and be completed: indexes of what waits keep the dead rows."""
    await _past_guards(house, *[_WAIT] * 8, _END)


async def _past_guards(house: House, *statements: str) -> None:
    async with house.owner.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement))


@pytest.fixture
async def full(house: House) -> House:
    """A house in which very many promotions to staging are completed, and one waits."""
    done = uuid4()
    await house.evaluate(evaluation(done))
    await house.complete(completion(done))
    await multiply(house, "promotion.promotion", id="gen_random_uuid()", source_deployment_id="'copy-' || n")
    await house.as_owner("ANALYZE promotion.promotion")
    await house.evaluate(evaluation(requires_approval=True, required_approvers=1))
    return house


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"status": "failed"}, 0),
        ({"status": "rejected"}, 0),
        ({"status": "pending"}, 1),
        ({"status": "completed"}, 10),
        ({"status_reason": "awaiting_approval"}, 1),
        ({"status_reason": "conditions_unmet"}, 0),
        ({"status_reason": "retrying"}, 0),
        ({"status_reason": "timed_out"}, 0),
        ({"created_by": "nobody"}, 0),
        ({"target_environment": "production"}, 0),
        ({"target_gateway_id": "gw-production"}, 0),
        ({"source_deployment_id": "dep-nowhere"}, 0),
        ({"agent_id": "nobody"}, 0),
    ],
)
async def test_a_list_reads_little_more_than_it_gives(full: House, filters: dict[str, str], found: int) -> None:
    async with full.database.begin() as connection:
        given = await listing.page(connection, organization_id=ORGANIZATION, filters=filters, before=None, limit=10)
        read = await rows_read(connection, "promotion.promotion")

    assert len(given) == found
    assert read < FEW


@pytest.mark.parametrize("waiting", [False, True], ids=["nobody waits", "one waits"])
async def test_who_is_next_in_a_slot_is_found_without_reading_who_was(
    house: House, monkeypatch: pytest.MonkeyPatch, waiting: bool
) -> None:
    async def keep(_connection: AsyncConnection) -> None:
        """The plan that was made for a few has to do for as many as come before it is made anew."""

    done = uuid4()
    await house.evaluate(evaluation(done))
    await house.complete(completion(done))
    (was,) = await house.as_owner("SELECT agent_id, target_gateway_id FROM promotion.promotion")
    slots = [Slot(ORGANIZATION, was.agent_id, was.target_gateway_id)]
    others = {"id": "gen_random_uuid()", "source_deployment_id": "'copy-' || n", "agent_id": "'agent-' || n"}
    if waiting:
        await _past_guards(house, _QUEUE)
    await multiply(house, "promotion.promotion", many=300, **others, **_COMPLETED)
    if not waiting:
        await _churn(house)
    monkeypatch.setattr(database, "_plan_anew", keep)
    async with house.database.begin(organizations={ORGANIZATION}, keeps_plans=True) as connection:
        await store.first_queued(connection, slots)
    await multiply(house, "promotion.promotion", **others, **_COMPLETED)
    async with house.database.begin(organizations={ORGANIZATION}, keeps_plans=True) as connection:
        following = await store.first_queued(connection, slots)
        read = await rows_read(connection, "promotion.promotion")

    assert len(following) == (1 if waiting else 0)
    assert read < FEW


async def test_what_somebody_never_did_is_not_looked_for_in_what_services_did(house: House) -> None:
    await house.evaluate(evaluation())
    (month,) = await house.as_owner("SELECT DISTINCT tableoid::regclass::text AS name FROM promotion.history")
    await multiply(house, month.name, version="100 + n", chain_seq="100 + n", actor="'service:rules'")
    await house.as_owner(f"ANALYZE {month.name}")

    async with house.database.begin() as connection:
        given = await overviews.audit(connection, ORGANIZATION, actor="nobody", before=2**62, limit=10)
        read = await rows_read(connection, month.name)

    assert given == []
    assert read < FEW
