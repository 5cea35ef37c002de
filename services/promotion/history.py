"""The history in PostgreSQL: appended to with its hash chain, read, verified; never changed.

Chain heads are the last locks of a transaction, taken in order of the organization.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from services.promotion import cuts
from services.promotion.cuts import AS_JSON
from services.promotion.domain import chain
from services.promotion.domain.chain import Break, Entry, Head, Link, Stored
from services.promotion.domain.cuts import Cut, end_of_kept, walk_kept
from services.promotion.domain.cuts import content as content_of_cut
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Key

_ENTRY = (
    "organization_id, promotion_id, version, previous_status, status, status_reason, status_message, actor, via, at, "
    "evidence"
)
# The hash is over the evidence's very text, so it is read as text.
_READ = _ENTRY.replace("evidence", "cast(evidence AS text) AS evidence")
_OF_CUT = ", ".join(["NULL"] * (1 + len(_ENTRY.split(","))))
_ENSURE_HEADS = text(
    "INSERT INTO promotion.chain_head (organization_id, seq, hash) "
    "SELECT o, 0, :genesis FROM unnest(cast(:organizations AS text[])) AS o ON CONFLICT DO NOTHING"
)
_LOCK_HEADS = text(
    "SELECT organization_id, seq, hash FROM promotion.chain_head WHERE organization_id = ANY(:organizations) "
    "ORDER BY organization_id FOR UPDATE"
)
_MOVE = (
    "UPDATE promotion.chain_head AS h SET seq = i.seq, hash = i.hash "
    "FROM unnest(cast(:chains AS text[]), cast(:head_seqs AS bigint[]), cast(:head_hashes AS bytea[])) "
    "AS i(organization_id, seq, hash) WHERE h.organization_id = i.organization_id"
)
_MOVE_HEADS = text(_MOVE)
# In one statement with the heads, for nobody else can append to a chain until this transaction has ended.
_APPEND = text(
    f"WITH moved AS ({_MOVE}) INSERT INTO promotion.history "  # noqa: S608
    f"(promotion_month, {_ENTRY}, chain_seq, previous_hash, hash) "
    "SELECT i.month, i.organization_id, i.promotion_id, i.version, i.previous_status, i.status, i.status_reason, "
    "i.status_message, i.actor, i.via, i.at, cast(i.evidence AS json), i.seq, i.previous_hash, i.hash "
    "FROM unnest(cast(:months AS date[]), cast(:organizations AS text[]), cast(:promotions AS uuid[]), "
    "cast(:versions AS int[]), cast(:previous AS text[]), cast(:statuses AS text[]), cast(:reasons AS text[]), "
    "cast(:messages AS text[]), cast(:actors AS text[]), cast(:vias AS text[]), cast(:moments AS timestamptz[]), "
    "cast(:evidence AS text[]), cast(:seqs AS bigint[]), cast(:previous_hashes AS bytea[]), cast(:hashes AS bytea[])) "
    "AS i(month, organization_id, promotion_id, version, previous_status, status, status_reason, status_message, "
    "actor, via, at, evidence, seq, previous_hash, hash)"
)
_OF_PROMOTION = text(
    f"SELECT {_READ} FROM promotion.history WHERE promotion_month = :month "  # noqa: S608
    "AND organization_id = :organization AND promotion_id = :promotion AND version > :after "
    "ORDER BY version LIMIT :limit"
)
# The head, the last cut and the links after one as of one instant, so that what is appended meanwhile is no break. The
# record of a cut is a link like an entry. Before the last cut, a page ends there.
_FROM_LINK = text(
    "WITH latest AS MATERIALIZED (SELECT * FROM promotion.history_cut WHERE organization_id = :organization "  # noqa: S608
    "ORDER BY chain_seq DESC LIMIT 1), bound AS MATERIALIZED (SELECT coalesce((SELECT sequence FROM latest "
    f"WHERE sequence > cast(:after AS bigint)), {2**63 - 1}) AS seq) "
    f"SELECT c.seq AS head_seq, c.hash AS head_hash, (SELECT {AS_JSON} FROM latest AS k) AS cut, e.* "
    "FROM (SELECT) AS one LEFT JOIN promotion.chain_head AS c ON c.organization_id = :organization "
    "LEFT JOIN LATERAL (SELECT * FROM ("
    f"(SELECT NULL AS record, promotion_month, {_READ}, chain_seq, previous_hash, hash FROM promotion.history "
    "WHERE organization_id = :organization AND chain_seq > cast(:after AS bigint) "
    "AND chain_seq <= (SELECT seq FROM bound) ORDER BY chain_seq LIMIT :limit) UNION ALL "
    f"(SELECT {AS_JSON}, {_OF_CUT}, chain_seq, previous_hash, hash FROM promotion.history_cut AS k "
    "WHERE organization_id = :organization AND chain_seq > cast(:after AS bigint) "
    "AND chain_seq <= (SELECT seq FROM bound) ORDER BY chain_seq LIMIT :limit)"
    ") AS links ORDER BY chain_seq LIMIT :limit) AS e ON true ORDER BY e.chain_seq"
)
_HEAD = text("SELECT seq, hash FROM promotion.chain_head WHERE organization_id = :organization")
_HEAD_AT = text(
    "SELECT at FROM promotion.history WHERE organization_id = :organization AND chain_seq = :seq UNION ALL "
    "SELECT at FROM promotion.history_cut WHERE organization_id = :organization AND chain_seq = :seq LIMIT 1"
)
VERIFIED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Links after one, with the head of the chain and its last cut as they were at that instant."""

    stored: list[Stored]
    head: Head
    cut: Cut | None


@dataclass(frozen=True, slots=True)
class Verified:
    """How far a history holds; ``complete`` when nothing is left to verify; ``cut`` where the beginning is gone.

    Up to the cut, the hash of ``reached`` is the one over what was kept.
    """

    reached: Head
    complete: bool
    broken: Break | None
    cut: Cut | None = None


async def append(connection: AsyncConnection, transitions: Sequence[Transition]) -> None:
    """Append an entry for each of ``transitions``, in this order; nothing may be locked after it."""
    if not transitions:
        return
    entries = [_entry(transition) for transition in transitions]
    contents = [chain.content(entry) for entry in entries]
    by_organization: dict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        by_organization[entry.organization_id].append(index)
    links: dict[int, Link] = {}
    new_heads: dict[str, Head] = {}
    for organization, head in (await lock_heads(connection, sorted(by_organization))).items():
        indexes = by_organization[organization]
        made, new_heads[organization] = chain.links(head, [contents[index] for index in indexes])
        links.update(zip(indexes, made, strict=True))
    columns = _columns(transitions, entries, [links[i] for i in range(len(entries))])
    await connection.execute(_APPEND, columns | _moved(new_heads))


async def move_heads(connection: AsyncConnection, heads: Mapping[str, Head]) -> None:
    """Write the new heads of chains that are locked."""
    await connection.execute(_MOVE_HEADS, _moved(heads))


def _moved(heads: Mapping[str, Head]) -> dict[str, Any]:
    return {
        "chains": list(heads),
        "head_seqs": [head.seq for head in heads.values()],
        "head_hashes": [head.hash for head in heads.values()],
    }


async def lock_heads(connection: AsyncConnection, organizations: Sequence[str]) -> dict[str, Head]:
    """Lock the chains of ``organizations``, which are in order, until the transaction ends; give their heads."""
    parameters = {"organizations": list(organizations)}
    heads = {row[0]: Head(row[1], row[2]) for row in await connection.execute(_LOCK_HEADS, parameters)}
    if len(heads) < len(organizations):
        # The first entry of an organization; the heads it lacks are made in order, and read anew.
        await connection.execute(_ENSURE_HEADS, {**parameters, "genesis": chain.GENESIS})
        heads = {row[0]: Head(row[1], row[2]) for row in await connection.execute(_LOCK_HEADS, parameters)}
    return heads


def month_of(created_at: datetime) -> date:
    """Give the month under which the history of a promotion created then is kept."""
    return created_at.astimezone(UTC).date().replace(day=1)


def _entry(transition: Transition) -> Entry:
    promotion, cause = transition.after, transition.cause
    return Entry(
        organization_id=promotion.request.organization_id,
        promotion_id=promotion.request.id,
        version=promotion.version,
        previous_status=None if transition.before is None else transition.before.state.status.value,
        status=promotion.state.status.value,
        status_reason=promotion.state.reason.value,
        status_message=promotion.message,
        actor=cause.actor,
        via=cause.via,
        at=cause.at,
        evidence=chain.evidence_text(cause.evidence),
    )


def _columns(transitions: Sequence[Transition], entries: Sequence[Entry], links: Sequence[Link]) -> dict[str, Any]:
    return {
        "months": [month_of(transition.after.request.created_at) for transition in transitions],
        "organizations": [entry.organization_id for entry in entries],
        "promotions": [entry.promotion_id for entry in entries],
        "versions": [entry.version for entry in entries],
        "previous": [entry.previous_status for entry in entries],
        "statuses": [entry.status for entry in entries],
        "reasons": [entry.status_reason for entry in entries],
        "messages": [entry.status_message for entry in entries],
        "actors": [entry.actor for entry in entries],
        "vias": [entry.via for entry in entries],
        "moments": [entry.at for entry in entries],
        "evidence": [entry.evidence for entry in entries],
        "seqs": [link.seq for link in links],
        "previous_hashes": [link.previous_hash for link in links],
        "hashes": [link.hash for link in links],
    }


async def of_promotion(
    connection: AsyncConnection, key: Key, *, created_at: datetime, after: int = 0, limit: int = 200
) -> list[Entry]:
    """Read entries of one promotion, oldest first, beginning after version ``after``."""
    rows = await connection.execute(
        _OF_PROMOTION,
        {
            "month": month_of(created_at),
            "organization": key.organization_id,
            "promotion": key.id,
            "after": after,
            "limit": limit,
        },
    )
    return [_to_entry(row) for row in rows]


async def head(connection: AsyncConnection, organization_id: str) -> Head:
    """Give the head of an organization's chain: what to anchor elsewhere."""
    row = (await connection.execute(_HEAD, {"organization": organization_id})).first()
    return Head() if row is None else Head(row.seq, row.hash)


async def made_at(connection: AsyncConnection, organization_id: str, seq: int) -> datetime | None:
    """Give when the entry of a link was made."""
    at: datetime | None = await connection.scalar(_HEAD_AT, {"organization": organization_id, "seq": seq})
    return at


async def page(connection: AsyncConnection, organization_id: str, *, after: int, limit: int) -> Page:
    """Read at most ``limit`` links after ``after``, and not beyond the last cut where that is still ahead."""
    parameters = {"organization": organization_id, "after": after, "limit": limit}
    rows = (await connection.execute(_FROM_LINK, parameters)).all()
    first = rows[0]
    return Page(
        [_stored(row) for row in rows if row.chain_seq],
        Head() if first.head_seq is None else Head(first.head_seq, first.head_hash),
        None if first.cut is None else cuts.read(first.cut),
    )


async def verify(
    connection: AsyncConnection, organization_id: str, start: Head, *, limit: int = VERIFIED_AT_ONCE
) -> Verified:
    """Verify at most ``limit`` links after ``start``, which was verified before, and the end if it is reached.

    Where the beginning was let go: first what was kept of it, then from the last cut on.
    """
    return follow(await page(connection, organization_id, after=start.seq, limit=limit), start, limit=limit)


def follow(found: Page, start: Head, *, limit: int) -> Verified:
    """Tell how far the page that was read from ``start`` with ``limit`` holds."""
    complete = len(found.stored) < limit
    if found.cut is not None and start.seq < found.cut.head.seq:
        reached, broken = walk_kept(found.stored, start)
        if broken is None and complete:
            broken = end_of_kept(reached, found.cut)
            reached = found.cut.head if broken is None else reached
        return Verified(reached, broken is not None, broken, found.cut)
    reached, broken = chain.walk(found.stored, start)
    if broken is None and complete:
        broken = chain.end(reached, found.head)
    return Verified(reached, complete or broken is not None, broken, found.cut)


async def first_break(connection: AsyncConnection, organization_id: str) -> int | None:
    """Verify an organization's whole chain; give the number of the first bad or missing link, None where all hold."""
    step = await verify(connection, organization_id, Head())
    while not step.complete:
        step = await verify(connection, organization_id, step.reached)
    return None if step.broken is None else step.broken.seq


def _stored(row: Any) -> Stored:
    link = Link(row.chain_seq, row.previous_hash, row.hash)
    if row.record is not None:
        return Stored(content_of_cut(cuts.read(row.record)), link)
    return Stored(chain.content(_to_entry(row)), link, row.promotion_month, row.promotion_id)


def _to_entry(row: Any) -> Entry:
    return Entry(
        organization_id=row.organization_id,
        promotion_id=row.promotion_id,
        version=row.version,
        previous_status=row.previous_status,
        status=row.status,
        status_reason=row.status_reason,
        status_message=row.status_message,
        actor=row.actor,
        via=row.via,
        at=row.at,
        evidence=row.evidence,
    )
