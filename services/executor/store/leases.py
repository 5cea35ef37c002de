"""Leases on executions: claiming what is due, gateway by gateway, keeping it, and writing what came of it.

Every claim raises the epoch, and nothing is written under an epoch that is not the last.
"""

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from services.executor.domain.execution import Execution, LeaseId
from services.executor.domain.settlements import Settlement
from services.executor.store.rows import EXECUTION_COLUMNS, IN_SLOT, OPEN, UNFINISHED, columns, to_execution

_FAR_FUTURE = "'infinity'::timestamptz"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many executions of one gateway to claim; a ``probe`` may take one that is not due yet.

    What has not been called anywhere yet is claimed for ``url`` with its sealed ``credential``.
    """

    organization_id: str
    gateway_id: str
    room: int
    probe: bool
    url: str | None
    credential: str | None = field(repr=False)


# Nothing of it can be live anywhere, so that it goes where its gateway is now.
_NOT_CALLED = "(e.status = 'waiting' OR e.called_url IS NULL)"
# Order within a slot: an execution waits for those that began earlier, and for any that is being called. OFFSET 0 keeps
# the planner from joining, so that each slot is looked up by itself.
_CLAIM = text(f"""
    WITH wanted AS (
        SELECT * FROM unnest(cast(:organizations AS text[]), cast(:gateways AS text[]), cast(:rooms AS int[]),
            cast(:probes AS boolean[]), cast(:urls AS text[]), cast(:credentials AS text[]))
            AS w (organization_id, gateway_id, room, probe, url, credential)
    ), due AS MATERIALIZED (
        SELECT found.organization_id, found.promotion_id, w.url, w.credential FROM wanted AS w CROSS JOIN LATERAL (
            SELECT e.organization_id, e.promotion_id FROM executor.execution AS e
            WHERE e.organization_id = w.organization_id AND e.gateway_id = w.gateway_id AND e.{UNFINISHED}
                AND e.due_at <= CASE WHEN w.probe THEN {_FAR_FUTURE} ELSE :now END
                AND (e.due_at <= :now OR NOT (e.leased OR e.asked_to_wait))
                AND NOT EXISTS (
                    SELECT FROM executor.execution AS o
                    WHERE o.slot = e.slot AND o.{IN_SLOT} AND o.promotion_id <> e.promotion_id
                        AND (o.status <> 'waiting'
                            OR (o.executing_at, o.promotion_id) < (e.executing_at, e.promotion_id))
                    OFFSET 0)
            ORDER BY e.due_at LIMIT w.room FOR UPDATE SKIP LOCKED
        ) AS found
    )
    UPDATE executor.execution AS e SET
        status = CASE e.status WHEN 'waiting' THEN 'calling' WHEN 'calling' THEN 'looking_up' ELSE e.status END,
        doubtful = e.doubtful OR e.status = 'calling',
        epoch = e.epoch + 1, leased = true, due_at = :lease_until, asked_to_wait = false, attempts = e.attempts + 1,
        called_url = CASE WHEN {_NOT_CALLED} THEN due.url ELSE e.called_url END,
        called_credential = CASE WHEN {_NOT_CALLED} THEN due.credential ELSE e.called_credential END
    FROM due WHERE e.organization_id = due.organization_id AND e.promotion_id = due.promotion_id
    RETURNING {columns(EXECUTION_COLUMNS, alias="e")}
""")  # noqa: S608 - the columns are constants

_HELD = """unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[]), cast(:epochs AS bigint[]))
    AS i (organization_id, promotion_id, epoch)"""
_IS_MINE = f"""e.organization_id = i.organization_id AND e.promotion_id = i.promotion_id
    AND e.epoch = i.epoch AND e.leased AND e.{OPEN}"""

_RENEW = text(f"""
    UPDATE executor.execution AS e SET due_at = :lease_until FROM {_HELD} WHERE {_IS_MINE}
    RETURNING e.organization_id, e.promotion_id, e.epoch
""")  # noqa: S608 - constants

# What is live in a slot is what succeeded last: a clock that was set back, or that of another machine, changes nothing
# of that as long as clocks differ by minutes only. More than that is refused by those who are told.
CLOCKS_DIFFER_MINUTES = 5
_SETTLE = text(f"""
    UPDATE executor.execution AS e SET
        status = i.status, due_at = i.due_at, asked_to_wait = i.asked_to_wait, doubtful = i.doubtful,
        verdict = i.verdict, last_error = i.last_error, give_up_at = i.give_up_at,
        finished_at = CASE WHEN i.status = 'succeeded' THEN greatest(i.finished_at, (
            SELECT max(o.finished_at) + interval '1 microsecond' FROM executor.execution AS o
            WHERE o.slot = e.slot AND o.status = 'succeeded'
                AND o.finished_at < i.finished_at + interval '{CLOCKS_DIFFER_MINUTES} minutes')) ELSE i.finished_at END,
        attempts = i.attempts, leased = false,
        called_credential = CASE WHEN i.finished_at IS NULL OR i.orphaned THEN e.called_credential END,
        announce_at = CASE WHEN i.finished_at IS NOT NULL THEN cast(:announce_at AS timestamptz) END
    FROM unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[]), cast(:epochs AS bigint[]),
        cast(:statuses AS text[]), cast(:due_at AS timestamptz[]), cast(:asked_to_wait AS boolean[]),
        cast(:doubtful AS boolean[]), cast(:verdicts AS text[]), cast(:errors AS text[]),
        cast(:give_up_at AS timestamptz[]), cast(:finished_at AS timestamptz[]), cast(:attempts AS int[]),
        cast(:orphaned AS boolean[]))
        AS i (organization_id, promotion_id, epoch, status, due_at, asked_to_wait, doubtful, verdict, last_error,
              give_up_at, finished_at, attempts, orphaned)
    WHERE {_IS_MINE}
    RETURNING e.organization_id, e.promotion_id, e.epoch, e.finished_at
""")  # noqa: S608 - constants

_PULL_FORWARD = text(f"""
    UPDATE executor.execution AS e SET due_at = :now
    FROM unnest(cast(:organizations AS text[]), cast(:gateways AS text[])) AS i (organization_id, gateway_id)
    WHERE e.organization_id = i.organization_id AND e.gateway_id = i.gateway_id AND e.{UNFINISHED}
        AND e.due_at > :now AND NOT e.leased AND NOT e.asked_to_wait
""")  # noqa: S608 - constants


async def claim(
    connection: AsyncConnection, wanted: Sequence[Wanted], *, now: datetime, lease_until: datetime
) -> list[Execution]:
    """Lease what is due of each gateway, oldest first, at most as much as there is room for."""
    if not wanted:
        return []
    rows = await connection.execute(
        _CLAIM,
        {
            "organizations": [item.organization_id for item in wanted],
            "gateways": [item.gateway_id for item in wanted],
            "rooms": [item.room for item in wanted],
            "probes": [item.probe for item in wanted],
            "urls": [item.url for item in wanted],
            "credentials": [item.credential for item in wanted],
            "now": now,
            "lease_until": lease_until,
        },
    )
    return [to_execution(row) for row in rows]


async def renew(connection: AsyncConnection, held: Sequence[Execution], *, lease_until: datetime) -> set[LeaseId]:
    """Prolong leases; name those that are still ours."""
    rows = await connection.execute(_RENEW, {**_held(held), "lease_until": lease_until})
    return {(row.organization_id, row.promotion_id, row.epoch) for row in rows}


async def settle(
    connection: AsyncConnection, settlements: Sequence[Settlement], *, announce_at: datetime
) -> dict[LeaseId, datetime | None]:
    """Write what became of leases; give those that were still ours, the only ones written, with when they ended."""
    rows = await connection.execute(
        _SETTLE,
        {
            "organizations": [item.organization_id for item in settlements],
            "promotions": [item.promotion_id for item in settlements],
            "epochs": [item.epoch for item in settlements],
            "statuses": [item.status for item in settlements],
            "due_at": [item.due_at for item in settlements],
            "asked_to_wait": [item.asked_to_wait for item in settlements],
            "doubtful": [item.doubtful for item in settlements],
            "verdicts": [item.verdict for item in settlements],
            "errors": [item.last_error for item in settlements],
            "give_up_at": [item.give_up_at for item in settlements],
            "finished_at": [item.finished_at for item in settlements],
            "attempts": [item.attempts for item in settlements],
            "orphaned": [item.orphaned for item in settlements],
            "announce_at": announce_at,
        },
    )
    return {(row.organization_id, row.promotion_id, row.epoch): row.finished_at for row in rows}


async def pull_forward(connection: AsyncConnection, gateways: Sequence[tuple[str, str]], *, now: datetime) -> None:
    """Make everything of ``gateways`` (organization, id) due that did not ask to wait: they are back."""
    if gateways:
        parameters = {"organizations": [key[0] for key in gateways], "gateways": [key[1] for key in gateways]}
        await connection.execute(_PULL_FORWARD, {**parameters, "now": now})


def _held(held: Sequence[Execution]) -> dict[str, list[object]]:
    return {
        "organizations": [execution.order.organization_id for execution in held],
        "promotions": [execution.order.promotion_id for execution in held],
        "epochs": [execution.epoch for execution in held],
    }
