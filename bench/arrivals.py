"""Requests over HTTP, as programs make them: one POST each, refused ones made again when the answer says so."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import aiohttp

from bench.client import Client
from bench.load import ORGANIZATION, request_body

PROMOTIONS = "/api/v1/promotions"
# Asked as one principal, so that the limits for each of them would be what is measured.
UNLIMITED = {"PROMOTION_PRINCIPAL_REQUESTS_PER_SECOND": "0", "PROMOTION_ORGANIZATION_REQUESTS_PER_SECOND": "0"}
_ENDS = """SELECT id, extract(epoch FROM completed_at)::float8 AS at FROM promotion.promotion
    WHERE organization_id = $1 AND id = ANY($2) AND status = 'completed'"""


@dataclass(slots=True)
class Asked:
    """One request: when it was sent first, when its answer came (clock of this machine), how often it was put off."""

    name: str
    sent_at: float
    answered_at: float = 0.0
    identifier: UUID | None = None
    put_off: int = 0


async def post(session: aiohttp.ClientSession, name: str) -> Asked:
    """Ask for one promotion until it is accepted."""
    asked = Asked(name, time.time())
    while True:
        async with session.post(PROMOTIONS, json=request_body(name)) as answer:
            told = await answer.json()
            if answer.status == 201:
                asked.answered_at, asked.identifier = time.time(), UUID(told["id"])
                return asked
            if answer.status != 429:
                raise SystemExit(f"POST {PROMOTIONS} was answered with {answer.status}: {told}")
            pause_seconds = float(answer.headers["Retry-After"])
        asked.put_off += 1
        await asyncio.sleep(pause_seconds)


async def completions(client: Client, identifiers: Sequence[UUID]) -> dict[UUID, float]:
    """Give when each was completed, as the service wrote it."""
    return {row["id"]: row["at"] for row in await client.database.fetch(_ENDS, ORGANIZATION, list(identifiers))}


def percentiles(values_ms: Sequence[float]) -> dict[str, float]:
    """Give p50, p95, p99 and the highest."""
    ordered = sorted(values_ms)
    ranks = {f"p{rank}": ordered[min(len(ordered) - 1, len(ordered) * rank // 100)] for rank in (50, 95, 99)}
    return {name: round(value, 1) for name, value in (ranks | {"max": ordered[-1]}).items()}
