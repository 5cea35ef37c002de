"""Promotions in PostgreSQL: locks, loads and one guarded save of many; the order of locks is slots, rows, chain heads.

Everyone who changes promotions locks their slots first, sorted, so that batches and commands never deadlock.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import slot_key
from schemas.principals import principal_key
from services.promotion.domain import lifecycle
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Key, Place, Promotion, Slot, Vote
from services.promotion.rows import EVALUATED, FIXED, READ, STANDING, Column, to_promotion, to_vote

# No row says 'retrying': that is shown alone (attempts.py), and migration 0013 refuses it. It is named because the
# partial indexes of migration 0001 name it, and PostgreSQL looks there only for what they are sure to hold.
RUNNING = "status = 'approved' AND status_reason IN ('executing', 'retrying')"
UNDER_WAY = "status IN ('pending', 'approved')"
HELD = f"{UNDER_WAY} AND status_reason NOT IN ('executing', 'retrying')"
# What somebody else has to answer, and is asked again when it stays quiet.
DRIVEN = frozenset({lifecycle.EVALUATING, lifecycle.EXECUTING})


class Overtaken(Exception):
    """A promotion changed although it was locked; the transaction has to be run again."""

    # As PostgreSQL says it of a transaction that another one overtook: whoever runs transactions runs it again.
    sqlstate = "40001"


def _unnest(columns: Iterable[tuple[str, str]]) -> str:
    # json has no array input of its own here: it travels as text.
    casts = ", ".join(f"cast(:{name} AS {'text' if kind == 'json' else kind}[])" for name, kind in columns)
    return f"unnest({casts})"


_WHOLE = (*STANDING, *EVALUATED)
_INSERTED = (*FIXED, *_WHOLE)
_TAIL = (("due_at", "timestamptz"),)


def _typed(name: str, kind: str) -> str:
    return f"cast(i.{name} AS json)" if kind == "json" else f"i.{name}"


def _guarded_update(written: Sequence[Column]) -> TextClause:
    columns = (
        ("organization_id", "text"), ("id", "uuid"), ("expected", "int"), *((n, k) for n, k, _ in written), *_TAIL,
    )  # fmt: skip
    return text(
        "UPDATE promotion.promotion AS p SET "  # noqa: S608
        + ", ".join(f"{name} = {_typed(name, kind)}" for name, kind, _ in written)
        + f", due_at = i.due_at, redrives = 0 FROM {_unnest(columns)} AS i({', '.join(name for name, _ in columns)}) "
        "WHERE p.organization_id = i.organization_id AND p.id = i.id AND p.version = i.expected"
    )


_UPDATE_STANDING = _guarded_update(STANDING)
_UPDATE_WHOLE = _guarded_update(_WHOLE)
_INSERT_COLUMNS = (*((n, k) for n, k, _ in _INSERTED), *_TAIL)
_INSERT = text(
    f"INSERT INTO promotion.promotion ({', '.join(name for name, _ in _INSERT_COLUMNS)}) "  # noqa: S608
    f"SELECT {', '.join(_typed(name, kind) for name, kind in _INSERT_COLUMNS)} "
    f"FROM {_unnest(_INSERT_COLUMNS)} AS i({', '.join(name for name, _ in _INSERT_COLUMNS)})"
)
_VOTE_COLUMNS = (
    ("organization_id", "text"), ("promotion_id", "uuid"), ("voter_key", "text"), ("voter", "text"), ("via", "text"),
    ("decision", "text"), ("override_conditions", "boolean"), ("reason", "text"), ("voted_at", "timestamptz"),
    ("binds", "text"), ("breaks_glass", "boolean"), ("key_id", "text"),
)  # fmt: skip
_UPSERT_VOTES = text(
    f"INSERT INTO promotion.vote ({', '.join(name for name, _ in _VOTE_COLUMNS)}) "  # noqa: S608
    f"SELECT * FROM {_unnest(_VOTE_COLUMNS)} ON CONFLICT (organization_id, promotion_id, voter_key) DO UPDATE SET "
    "voter = excluded.voter, via = excluded.via, decision = excluded.decision, reason = excluded.reason, "
    "override_conditions = excluded.override_conditions, voted_at = excluded.voted_at, binds = excluded.binds, "
    "breaks_glass = excluded.breaks_glass, key_id = excluded.key_id"
)
_LOCK_SLOTS = text("SELECT count(pg_advisory_xact_lock(k)) FROM unnest(cast(:keys AS bigint[])) AS k")
_KEYS = "unnest(cast(:organizations AS text[]), cast(:ids AS uuid[])) AS k(organization_id, id)"
_SLOTS = (
    "unnest(cast(:organizations AS text[]), cast(:agents AS text[]), cast(:gateways AS text[])) "
    "AS s(organization_id, agent_id, gateway_id)"
)
# A gateway is never null here. Said so, it is looked for among an agent's promotions, of which few are under way, and
# not through an index of gateways, where PostgreSQL would read all that ever went there while it has counted nothing.
_IN_SLOT = (
    "p.organization_id = s.organization_id AND p.agent_id = s.agent_id "
    "AND p.target_gateway_id IS NOT DISTINCT FROM s.gateway_id"
)
_FIND_SLOTS = text(
    "SELECT p.organization_id, p.agent_id, p.target_gateway_id "  # noqa: S608
    f"FROM {_KEYS} JOIN promotion.promotion AS p USING (organization_id, id)"
)
_READ = f"SELECT {READ} FROM {_KEYS} JOIN promotion.promotion AS p USING (organization_id, id)"  # noqa: S608
_LOAD = text(f"{_READ} ORDER BY p.organization_id, p.id")
_LOCK = text(f"{_READ} ORDER BY p.organization_id, p.id FOR UPDATE OF p")
_LOAD_VOTES = text(
    f"SELECT v.*, c.id IS NOT NULL AS revoked FROM {_KEYS} JOIN promotion.vote AS v "  # noqa: S608
    "ON v.organization_id = k.organization_id AND v.promotion_id = k.id "
    "LEFT JOIN platform.published_revocation AS c ON c.id = v.key_id ORDER BY v.voted_at, v.voter_key"
)


def _one_in_slot(condition: str, *, order: str = "") -> str:
    # The limit keeps the planner from joining the whole table where it takes it for small. An order where none is
    # needed has it take an index of that order, in which it reads far for one slot.
    return (
        f"LATERAL (SELECT p.organization_id, p.id FROM promotion.promotion AS p WHERE {_IN_SLOT} AND {condition} "  # noqa: S608
        f"{order} LIMIT 1)"
    )


_QUEUED = "p.status = 'approved' AND p.status_reason = 'queued'"
_OLDEST_QUEUED = _one_in_slot(_QUEUED, order="ORDER BY p.created_at, p.id")
_FIRST_QUEUED = text(
    f"SELECT queued.organization_id, queued.id FROM {_SLOTS} CROSS JOIN {_OLDEST_QUEUED} AS queued "  # noqa: S608
    f"LEFT JOIN {_one_in_slot(RUNNING)} AS running ON true WHERE running.id IS NULL"
)
_IDLE_SLOTS = text(
    f"SELECT s.* FROM {_SLOTS} LEFT JOIN {_one_in_slot(HELD)} AS held ON true "  # noqa: S608
    f"LEFT JOIN {_one_in_slot(RUNNING)} AS running ON true WHERE held.id IS NULL AND running.id IS NULL"
)
_OLDER_HELD = text(
    f"SELECT {READ} FROM unnest(cast(:organizations AS text[]), cast(:agents AS text[]), "  # noqa: S608
    "cast(:gateways AS text[]), cast(:moments AS timestamptz[]), cast(:ids AS uuid[])) "
    "AS s(organization_id, agent_id, gateway_id, created_at, id) JOIN promotion.promotion AS p "
    f"ON {_IN_SLOT} AND {HELD} AND (p.created_at, p.id) < (s.created_at, s.id) "
    "ORDER BY p.organization_id, p.id FOR UPDATE OF p"
)
# Each is looked up by itself, however many are under way; OFFSET 0 keeps the planner from joining.
_UNDER_WAY = text(
    "SELECT p.organization_id, p.source_deployment_id, p.target_gateway_id, p.agent_id, p.id FROM "  # noqa: S608
    "unnest(cast(:organizations AS text[]), cast(:agents AS text[]), cast(:gateways AS text[]), "
    "cast(:deployments AS text[])) AS s(organization_id, agent_id, gateway_id, deployment_id) "
    f"CROSS JOIN LATERAL (SELECT * FROM promotion.promotion AS p WHERE {_IN_SLOT} "
    f"AND p.source_deployment_id = s.deployment_id AND {UNDER_WAY} OFFSET 0) AS p"
)
_EXPIRED = text(
    "SELECT p.organization_id, p.id FROM promotion.promotion AS p "  # noqa: S608
    f"WHERE expires_at <= :now AND {HELD} ORDER BY expires_at LIMIT :limit"
)
_FREE_SLOTS = text(
    "SELECT DISTINCT p.organization_id, p.agent_id, p.target_gateway_id FROM promotion.promotion AS p "  # noqa: S608
    "WHERE p.status = 'approved' AND p.status_reason = 'queued' AND NOT EXISTS (SELECT FROM promotion.promotion AS e "
    "WHERE e.organization_id = p.organization_id AND e.agent_id = p.agent_id "
    f"AND e.target_gateway_id = p.target_gateway_id AND {RUNNING}) LIMIT :limit"
)


async def lock_slots(connection: AsyncConnection, slots: Collection[Slot]) -> None:
    """Wait until nobody else changes promotions of ``slots``; they stay locked until the transaction ends."""
    if slots:
        await connection.execute(_LOCK_SLOTS, {"keys": sorted({_lock_key(slot) for slot in slots})})


def _lock_key(slot: Slot) -> int:
    name = slot_key(*slot).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)


async def find_slots(connection: AsyncConnection, keys: Collection[Key]) -> list[Slot]:
    """Name the slots of those of ``keys`` that are stored and have one; it locks nothing."""
    rows = await connection.execute(_FIND_SLOTS, _keys(keys))
    return [Slot(*row) for row in rows if row.target_gateway_id is not None]


async def load(connection: AsyncConnection, keys: Collection[Key], *, lock: bool) -> dict[Key, Promotion]:
    """Load those of ``keys`` that are stored, with their votes; ``lock`` keeps others from changing them."""
    rows = await connection.execute(_LOCK if lock else _LOAD, _keys(keys))
    return {promotion.key: promotion for promotion in await with_votes(connection, rows.all())}


async def first_queued(connection: AsyncConnection, slots: Collection[Slot]) -> set[Key]:
    """Find the oldest queued promotion of each of ``slots`` in which none executes; the slots have to be locked."""
    if not slots:
        return set()
    return {Key(*row) for row in await connection.execute(_FIRST_QUEUED, _slots(slots))}


async def idle_slots(connection: AsyncConnection, slots: Collection[Slot]) -> list[Slot]:
    """Find those of ``slots`` in which no promotion is under way; the slots have to be locked."""
    if not slots:
        return []
    return [Slot(*row) for row in await connection.execute(_IDLE_SLOTS, _slots(slots))]


async def older_held(connection: AsyncConnection, promotions: Sequence[Promotion]) -> list[Promotion]:
    """Load what was created before one of ``promotions`` in its slot and has not begun to execute."""
    parameters = _slots([promotion.slot for promotion in promotions if promotion.slot is not None])
    parameters["moments"] = [promotion.request.created_at for promotion in promotions]
    parameters["ids"] = [promotion.request.id for promotion in promotions]
    rows = await connection.execute(_OLDER_HELD, parameters)
    return await with_votes(connection, rows.all())


async def under_way(connection: AsyncConnection, wanted: Collection[Place]) -> dict[Place, Key]:
    """Find which promotion is under way for each of ``wanted``."""
    if not wanted:
        return {}
    rows = await connection.execute(
        _UNDER_WAY,
        {
            "organizations": [place.slot.organization_id for place in wanted],
            "agents": [place.slot.agent_id for place in wanted],
            "gateways": [place.slot.gateway_id for place in wanted],
            "deployments": [place.source_deployment_id for place in wanted],
        },
    )
    return {
        Place(Slot(row.organization_id, row.agent_id, row.target_gateway_id), row.source_deployment_id): Key(
            row.organization_id, row.id
        )
        for row in rows
    }


async def expired_keys(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Key]:
    """Find promotions that should have begun to execute by ``now``."""
    rows = await connection.execute(_EXPIRED, {"now": now, "limit": limit})
    return [Key(*row) for row in rows]


async def free_slots(connection: AsyncConnection, *, limit: int) -> list[Slot]:
    """Find slots in which promotions are queued and none executes."""
    rows = await connection.execute(_FREE_SLOTS, {"limit": limit})
    return [Slot(*row) for row in rows]


async def insert(connection: AsyncConnection, after: Sequence[Promotion], *, redrive_after: timedelta) -> None:
    """Store new promotions, as their first steps left them."""
    if not after:
        return
    parameters: dict[str, Any] = {name: [read(p) for p in after] for name, _, read in _INSERTED}
    parameters["due_at"] = [_due_at(p, redrive_after) for p in after]
    await connection.execute(_INSERT, parameters)


async def save(connection: AsyncConnection, moved: Sequence[Transition], *, redrive_after: timedelta) -> None:
    """Store steps of distinct promotions, each only if its promotion still stands where the step began."""
    pairs = [(transition.before, transition.after) for transition in moved]
    # Most steps leave the evaluation as it is, and it is a third of the columns.
    evaluated = [(b.version, a) for b, a in pairs if b is not None and b.evaluation is not a.evaluation]
    others = [(b.version, a) for b, a in pairs if b is not None and b.evaluation is a.evaluation]
    await _update(connection, evaluated, _UPDATE_WHOLE, _WHOLE, redrive_after)
    await _update(connection, others, _UPDATE_STANDING, STANDING, redrive_after)
    await _save_votes(connection, [(a, v) for b, a in pairs for v in a.votes if b is None or v not in b.votes])


async def save_evaluations(
    connection: AsyncConnection, promotions: Sequence[Promotion], *, redrive_after: timedelta
) -> None:
    """Store evaluations that moved nothing."""
    changes = [(promotion.version, promotion) for promotion in promotions]
    await _update(connection, changes, _UPDATE_WHOLE, _WHOLE, redrive_after)


async def _update(
    connection: AsyncConnection,
    changes: Sequence[tuple[int, Promotion]],
    statement: TextClause,
    written: Sequence[Column],
    redrive_after: timedelta,
) -> None:
    if not changes:
        return
    after = [promotion for _, promotion in changes]
    parameters: dict[str, Any] = {name: [read(p) for p in after] for name, _, read in written}
    parameters |= {
        "organization_id": [p.request.organization_id for p in after],
        "id": [p.request.id for p in after],
        "expected": [expected for expected, _ in changes],
        "due_at": [_due_at(p, redrive_after) for p in after],
    }
    result = await connection.execute(statement, parameters)
    if result.rowcount != len(changes):
        raise Overtaken(f"{len(changes) - result.rowcount} of {len(changes)} promotions changed meanwhile")


async def _save_votes(connection: AsyncConnection, votes: Sequence[tuple[Promotion, Vote]]) -> None:
    if not votes:
        return
    await connection.execute(
        _UPSERT_VOTES,
        {
            "organization_id": [p.request.organization_id for p, _ in votes],
            "promotion_id": [p.request.id for p, _ in votes],
            "voter_key": [principal_key(v.voter) for _, v in votes],
            "voter": [v.voter for _, v in votes],
            "via": [v.via for _, v in votes],
            "decision": [v.decision.value for _, v in votes],
            "override_conditions": [v.override_conditions for _, v in votes],
            "reason": [v.reason for _, v in votes],
            "voted_at": [v.voted_at for _, v in votes],
            "binds": [v.binds for _, v in votes],
            "breaks_glass": [v.breaks_glass for _, v in votes],
            "key_id": [v.key_id for _, v in votes],
        },
    )


def _due_at(promotion: Promotion, redrive_after: timedelta) -> datetime | None:
    return promotion.changed_at + redrive_after if promotion.state in DRIVEN else None


async def with_votes(connection: AsyncConnection, rows: Sequence[Any]) -> list[Promotion]:
    """Read rows of the columns READ, and the votes of those that have any."""
    voted = [Key(row.organization_id, row.id) for row in rows if row.approvals or row.ended_by]
    votes: dict[Key, list[Vote]] = defaultdict(list)
    if voted:
        for row in await connection.execute(_LOAD_VOTES, _keys(voted)):
            votes[Key(row.organization_id, row.promotion_id)].append(to_vote(row))
    return [to_promotion(row, tuple(votes.get(Key(row.organization_id, row.id), ()))) for row in rows]


def _keys(keys: Collection[Key]) -> dict[str, Any]:
    return {"organizations": [key.organization_id for key in keys], "ids": [key.id for key in keys]}


def _slots(slots: Collection[Slot]) -> dict[str, Any]:
    return {
        "organizations": [slot.organization_id for slot in slots],
        "agents": [slot.agent_id for slot in slots],
        "gateways": [slot.gateway_id for slot in slots],
    }
