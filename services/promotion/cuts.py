"""Cuts in PostgreSQL: where the history of an organization begins once months of it were let go."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.operations import AuditCut
from services.promotion.domain.chain import Head, Link
from services.promotion.domain.cuts import Cut

# A cut, of ``promotion.history_cut AS k``, in one value.
AS_JSON = (
    "cast(json_build_object('organization_id', k.organization_id, 'month', k.month, 'sequence', k.sequence, "
    "'hash', encode(k.sequence_hash, 'hex'), 'entries', k.entries, 'kept', k.kept, "
    "'kept_hash', encode(k.kept_hash, 'hex'), 'actor', k.actor, 'at', k.at) AS text)"
)
_OF_ORGANIZATION = f"SELECT {AS_JSON} FROM promotion.history_cut AS k WHERE k.organization_id = :organization "  # noqa: S608
_LATEST = text(f"{_OF_ORGANIZATION} ORDER BY k.chain_seq DESC LIMIT 1")
_OF_MONTH = text(f"{_OF_ORGANIZATION} AND k.month = :month ORDER BY k.chain_seq DESC LIMIT 1")
_RECORD = text(
    "INSERT INTO promotion.history_cut (organization_id, chain_seq, previous_hash, hash, month, sequence, "
    "sequence_hash, entries, kept, kept_hash, actor, at) VALUES (:organization, :chain_seq, :previous_hash, :hash, "
    ":month, :sequence, :sequence_hash, :entries, :kept, :kept_hash, :actor, :at)"
)


async def latest(connection: AsyncConnection, organization_id: str) -> Cut | None:
    """Give the last cut of an organization's history, None where it is whole."""
    row: str | None = await connection.scalar(_LATEST, {"organization": organization_id})
    return None if row is None else read(row)


async def of_month(connection: AsyncConnection, organization_id: str, month: date) -> Cut | None:
    """Give the cut with which a month of an organization's history went, None where it did not."""
    row: str | None = await connection.scalar(_OF_MONTH, {"organization": organization_id, "month": month})
    return None if row is None else read(row)


async def record(connection: AsyncConnection, cut: Cut, link: Link) -> None:
    """Write ``cut`` as a link of its organization's chain."""
    await connection.execute(
        _RECORD,
        {
            "organization": cut.organization_id,
            "chain_seq": link.seq,
            "previous_hash": link.previous_hash,
            "hash": link.hash,
            "month": cut.month,
            "sequence": cut.head.seq,
            "sequence_hash": cut.head.hash,
            "entries": cut.entries,
            "kept": cut.kept,
            "kept_hash": cut.kept_hash,
            "actor": cut.actor,
            "at": cut.at,
        },
    )


def read(row: str) -> Cut:
    """Read a cut from what ``AS_JSON`` gives."""
    values: Mapping[str, Any] = json.loads(row)
    return Cut(
        organization_id=values["organization_id"],
        month=date.fromisoformat(values["month"]),
        head=Head(values["sequence"], bytes.fromhex(values["hash"])),
        entries=values["entries"],
        kept=values["kept"],
        kept_hash=bytes.fromhex(values["kept_hash"]),
        actor=values["actor"],
        at=datetime.fromisoformat(values["at"]),
    )


def resource(cut: Cut) -> AuditCut:
    """Give the resource of a cut."""
    return AuditCut(
        month=f"{cut.month:%Y-%m}",
        sequence=cut.head.seq,
        hash=cut.head.hash.hex(),
        entries=cut.entries,
        kept=cut.kept,
        actor=cut.actor,
        at=cut.at,
    )
