"""Where the time of a promotion goes, by the moments that the services wrote down on its way."""

from collections.abc import Sequence
from uuid import UUID

from bench.client import Client
from bench.load import ORGANIZATION

# Each stage ends at the moment of the column beside it; a service takes one moment for all that one batch does.
STAGES = (
    ("created → read by rules", "received_by_rules"),
    ("→ evaluated", "evaluated"),
    ("→ approved and executing", "executing"),
    ("→ read by executor", "received_by_executor"),
    ("→ the gateway has answered", "finished"),
    ("→ completed", "completed"),
)
_MOMENTS = """SELECT extract(epoch FROM p.created_at)::float8 AS created,
    extract(epoch FROM r.received_at)::float8 AS received_by_rules,
    extract(epoch FROM p.evaluated_at)::float8 AS evaluated,
    extract(epoch FROM p.executing_at)::float8 AS executing,
    extract(epoch FROM e.received_at)::float8 AS received_by_executor,
    extract(epoch FROM e.finished_at)::float8 AS finished,
    extract(epoch FROM p.completed_at)::float8 AS completed
    FROM promotion.promotion p
    JOIN rules.request r ON r.organization_id = p.organization_id AND r.promotion_id = p.id
    JOIN executor.execution e ON e.organization_id = p.organization_id AND e.promotion_id = p.id
    WHERE p.organization_id = $1 AND p.id = ANY($2)"""


async def stages(client: Client, identifiers: Sequence[UUID]) -> list[dict[str, float | str]]:
    """Give the median and the 95th percentile of each stage in milliseconds."""
    rows = await client.database.fetch(_MOMENTS, ORGANIZATION, list(identifiers))
    told: list[dict[str, float | str]] = []
    before = "created"
    for stage, moment in STAGES:
        took_ms = sorted((row[moment] - row[before]) * 1000 for row in rows)
        p50, p95 = (round(took_ms[len(took_ms) * rank // 100], 2) for rank in (50, 95))
        told.append({"stage": stage, "p50_ms": p50, "p95_ms": p95})
        before = moment
    return told
