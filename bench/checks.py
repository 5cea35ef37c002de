"""What has to be true of every promotion at the end of a run, read from the tables and from the gateway's own log."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from bench.client import Client
from bench.load import ORGANIZATION, TARGET_GATEWAY
from services.platform.database import Database
from services.promotion import history
from studio.gateway.records import EffectApplied, read_log
from studio.gateway.state import Created

OUTBOXES = """SELECT n.nspname || '.outbox' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'outbox' AND c.relkind = 'r' ORDER BY 1"""
DRAIN_SECONDS = 30.0
_SHOWN = """SELECT count(*) FROM inventory.deployment WHERE organization_id = $1 AND deployment_id = ANY($2::text[])
    AND status = 'active'"""
_COUNTS = """SELECT
    (SELECT count(*) FROM promotion.promotion WHERE organization_id = $1 AND id = ANY($2)
        AND status = 'completed') AS completed,
    (SELECT count(*) FROM (SELECT FROM promotion.history h JOIN promotion.promotion p
            ON p.organization_id = h.organization_id AND p.id = h.promotion_id
        WHERE p.organization_id = $1 AND p.id = ANY($2) GROUP BY p.id, p.version
        HAVING count(*) = p.version AND min(h.version) = 1 AND max(h.version) = p.version) AS g) AS gapless_histories,
    (SELECT count(*) FROM (SELECT FROM promotion.history WHERE organization_id = $1 AND promotion_id = ANY($2)
        GROUP BY promotion_id HAVING count(*) FILTER (WHERE previous_status = 'pending' AND status = 'approved') = 1
            AND count(*) FILTER (WHERE status = 'completed') = 1) AS d) AS decided_once,
    (SELECT count(*) FROM platform.dead_letter) AS dead_letters"""


async def check(client: Client, identifiers: Sequence[UUID], *, walk_chain: bool = True) -> dict[str, object]:
    """Check every one of `identifiers`; give what was found. Ends the run with a message where anything is wrong."""
    await client.until(_SHOWN, len(identifiers), ORGANIZATION, [str(each) for each in identifiers])
    left = await _drained(client)
    (counted,) = await client.database.fetch(_COUNTS, ORGANIZATION, list(identifiers))
    found: dict[str, object] = dict(counted)
    wanted: dict[str, object] = dict.fromkeys(("completed", "gapless_histories", "decided_once"), len(identifiers))
    wanted |= {"dead_letters": 0, "outbox_rows": 0, "deployed_once": len(identifiers), "broken_link": None}
    found |= {"outbox_rows": left, "deployed_once": _deployed_once(client, identifiers)}
    found["broken_link"] = await _broken_link(client) if walk_chain else None
    wrong = {name: f"{found[name]} instead of {wanted[name]}" for name in wanted if found[name] != wanted[name]}
    if wrong:
        raise SystemExit(f"the run is void: {wrong}")
    return {"promotions": len(identifiers), **found}


async def _drained(client: Client) -> int:
    tables = [row[0] for row in await client.database.fetch(OUTBOXES)]
    query = " + ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        left = int(await client.database.fetchval(f"SELECT {query}"))
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.1)


def _deployed_once(client: Client, identifiers: Sequence[UUID]) -> int:
    created = Counter(
        record.effect.key
        for record in read_log(Path(client.stack.gateway(TARGET_GATEWAY)["log"]))
        if isinstance(record, EffectApplied) and isinstance(record.effect, Created)
    )
    return sum(created[str(identifier)] == 1 for identifier in identifiers)


async def _broken_link(client: Client) -> int | None:
    database = Database(client.stack.ready["postgres"], role=None, application_name="bench", every_organization=True)
    try:
        async with database.begin() as connection:
            return await history.first_break(connection, ORGANIZATION)
    finally:
        await database.close()
