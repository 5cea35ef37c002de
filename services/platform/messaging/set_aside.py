"""Records of an outbox that Kafka refuses for good: kept whole as dead letters, so that what is behind them goes on.

They are kept in PostgreSQL alone, and once as long as nobody has sent them again, however often they are told anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid5

import asyncpg
import structlog

from schemas.identifiers import NAMESPACE
from schemas.topics import is_dead_letter_topic
from services.platform.messaging.claims import claimed_organization
from services.platform.telemetry import PARKED

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was refused; ``code`` is a stable word, ``detail`` what the broker said."""

    row: asyncpg.Record
    code: str
    detail: str


async def set_aside(connection: asyncpg.Connection, schema: str, refusals: Sequence[Refusal]) -> None:
    """Keep what was refused of ``schema``'s outbox, in the transaction of ``connection``."""
    for refusal in refusals:
        row, topic = refusal.row, refusal.row["topic"]
        _log.error("record set aside", schema=schema, topic=topic, outbox_id=row["id"], reason=refusal.code)
        PARKED.labels(schema, topic, refusal.code).inc()
        # A dead letter on its way to its topic is in PostgreSQL already.
        if not is_dead_letter_topic(topic):
            await _keep(connection, f"{schema}.outbox", refusal)


async def _keep(connection: asyncpg.Connection, sender: str, refusal: Refusal) -> None:
    row = refusal.row
    written_at: datetime = row["created_at"]
    await connection.execute(
        "SELECT platform.set_aside($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        uuid5(NAMESPACE, f"set aside\n{sender}\n{row['id']}\n{written_at.isoformat()}"),
        claimed_organization(row["value"]),
        sender,
        row["topic"],
        row["id"],
        int(written_at.timestamp() * 1000),
        row["key"],
        row["headers"],
        row["value"],
        refusal.code,
        refusal.detail[:2000],
    )
