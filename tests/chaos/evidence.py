"""What is read at the end for the checkers to judge: tables, topics, gateways' logs, what clients were told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from studio.gateway.records import AnyRecord, read_log
from tests.chaos.database import Database, Row
from tests.chaos.faults import Struck
from tests.chaos.people import Told
from tests.chaos.schedule import Plan
from tests.chaos.witness import Seen

_OUTBOXES = "SELECT schemaname FROM pg_tables WHERE tablename = 'outbox' ORDER BY schemaname"
_TABLES = {
    "promotions": "SELECT * FROM promotion.promotion",
    "history": "SELECT promotion_id, version, previous_status, status, status_reason, actor, at, chain_seq "
    "FROM promotion.history ORDER BY promotion_id, version",
    "votes": "SELECT * FROM promotion.vote",
    "executions": "SELECT * FROM executor.execution",
    "orphans": "SELECT * FROM executor.orphan",
    "deployments": "SELECT * FROM inventory.deployment",
    "letters": "SELECT consumer_group, topic, key, reason, detail FROM platform.dead_letter",
}
# What others have taken is noted only when it would be due to be sent again.
NOTED_LATER = frozenset({"evaluations not taken", "outcomes not taken"})


@dataclass(frozen=True)
class Evidence:
    """Everything that was read; nothing in it came from a service."""

    plans: Sequence[Plan]
    asked: Mapping[int, UUID]
    given_up: Sequence[str]
    told: Sequence[Told]
    struck: Sequence[Struck]
    promotions: Mapping[UUID, Row]
    history: Mapping[UUID, Sequence[Row]]
    votes: Sequence[Row]
    executions: Mapping[UUID, Row]
    orphans: Sequence[Row]
    deployments: Sequence[Row]
    letters: Sequence[Row]
    seen: Sequence[Seen]
    gateways: Mapping[str, Sequence[AnyRecord]]
    # What is still to be done, by name; all of it has to be nothing.
    left: Mapping[str, int] = field(default_factory=dict)
    # The number of the first bad link of the history's chain.
    broken_link: int | None = None
    embedded: bool = True


async def tables(database: Database) -> dict[str, list[Row]]:
    """Read every table that is judged."""
    return {name: await database.rows(query) for name, query in _TABLES.items()}


def logs(ready: Mapping[str, object]) -> dict[str, list[AnyRecord]]:
    """Read every gateway's log."""
    gateways = ready["gateways"]
    assert isinstance(gateways, list)
    return {gateway["id"]: list(read_log(Path(gateway["log"]))) for gateway in gateways}


def steps(history: Sequence[Row]) -> dict[UUID, list[Row]]:
    """Sort entries by promotion."""
    found: dict[UUID, list[Row]] = {}
    for row in history:
        found.setdefault(row["promotion_id"], []).append(row)
    return found


async def left(database: Database) -> dict[str, int]:
    """Count what is still to be done in the database."""
    schemas = [row["schemaname"] for row in await database.rows(_OUTBOXES)]
    queries = {f"outbox of {schema}": f"SELECT count(*) FROM {schema}.outbox" for schema in schemas}
    queries |= {
        "promotions under way": "SELECT count(*) FROM promotion.promotion WHERE status IN ('pending', 'approved') "
        "AND status_reason IN ('evaluating', 'queued', 'executing', 'retrying')",
        "evaluations not taken": "SELECT count(*) FROM rules.unconfirmed",
        "outcomes not taken": "SELECT count(*) FROM executor.execution WHERE NOT taken",
        "orphans not fenced": "SELECT count(*) FROM executor.orphan WHERE fenced_at IS NULL",
    }
    return {name: await database.number(query) for name, query in queries.items()}


async def broken_link(url: str, organization_id: str) -> int | None:
    """Verify the history's hash chain; give the first bad link."""
    from services.platform.database import Database as Pool
    from services.promotion.history import first_break

    pool = Pool(url, role=None, application_name="chaos", every_organization=True)
    try:
        async with pool.begin() as connection:
            return await first_break(connection, organization_id)
    finally:
        await pool.close()
