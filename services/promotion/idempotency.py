"""Idempotency keys in PostgreSQL: each is claimed once an organization, and remembers the first answer.

A claim made by a transaction that is still open makes another one wait for its end.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ROUTE = "POST /promotions"
_KEYS = "unnest(cast(:organizations AS text[]), cast(:keys AS text[])) AS k(organization_id, key)"
_CLAIM = text(
    "INSERT INTO promotion.idempotency (organization_id, route, key, body_hash, promotion_id, created_at) "
    "SELECT i.organization_id, :route, i.key, i.body_hash, i.id, :now FROM unnest(cast(:organizations AS text[]), "
    "cast(:keys AS text[]), cast(:hashes AS bytea[]), cast(:ids AS uuid[])) AS i(organization_id, key, body_hash, id) "
    "ORDER BY i.organization_id, i.key ON CONFLICT DO NOTHING RETURNING organization_id, key"
)
_FIND = text(
    "SELECT organization_id, key, body_hash, promotion_id, cast(answer AS text) AS answer "  # noqa: S608
    f"FROM promotion.idempotency JOIN {_KEYS} USING (organization_id, key) WHERE route = :route"
)
_ANSWER = text(
    "UPDATE promotion.idempotency AS d SET answer = cast(i.answer AS json) FROM unnest("
    "cast(:organizations AS text[]), cast(:keys AS text[]), cast(:answers AS text[])) "
    "AS i(organization_id, key, answer) "
    "WHERE d.organization_id = i.organization_id AND d.key = i.key AND d.route = :route"
)
_RELEASE = text(
    f"DELETE FROM promotion.idempotency AS d USING {_KEYS} "  # noqa: S608
    "WHERE d.organization_id = k.organization_id AND d.key = k.key AND d.route = :route"
)


class Claim(NamedTuple):
    """A key within its organization."""

    organization_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key stands for: the body that it came with, and the answer to it as JSON text."""

    body_hash: bytes
    promotion_id: UUID
    answer: str


async def claim(
    connection: AsyncConnection, wanted: Mapping[Claim, tuple[bytes, UUID]], *, now: datetime
) -> dict[Claim, Remembered]:
    """Claim keys, each for a body's hash and a promotion; give what those taken before stand for."""
    if not wanted:
        return {}
    rows = await connection.execute(
        _CLAIM,
        _parameters(wanted)
        | {"hashes": [digest for digest, _ in wanted.values()], "ids": [i for _, i in wanted.values()], "now": now},
    )
    claimed = {Claim(*row) for row in rows}
    taken = wanted.keys() - claimed
    if not taken:
        return {}
    found = await connection.execute(_FIND, _parameters(taken))
    return {
        Claim(row.organization_id, row.key): Remembered(row.body_hash, row.promotion_id, row.answer) for row in found
    }


async def remember(connection: AsyncConnection, answers: Mapping[Claim, str]) -> None:
    """Keep the answer, JSON text, of each claimed key."""
    if answers:
        await connection.execute(_ANSWER, _parameters(answers) | {"answers": list(answers.values())})


async def release(connection: AsyncConnection, claims: Collection[Claim]) -> None:
    """Give up claims whose requests came to nothing, so that the keys may be used again."""
    if claims:
        await connection.execute(_RELEASE, _parameters(claims))


def _parameters(claims: Collection[Claim]) -> dict[str, Any]:
    return {
        "organizations": [claim.organization_id for claim in claims],
        "keys": [claim.key for claim in claims],
        "route": ROUTE,
    }
