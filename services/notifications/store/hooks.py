"""Webhooks in PostgreSQL. A deleted one is found by nobody."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.webhooks import WebhookStatus
from services.notifications.domain.hook import Health, Hook, OldSecret

_HEALTH = ("failures", "failing_since", "rests_until", "last_delivered_at")
_PLAIN = (
    "organization_id", "id", "version", "name", "url", "secret", "status_reason", "active_since", "created_at",
    "created_by", "updated_at", "updated_by",
)  # fmt: skip
# The newest old secret has columns of its own, which a version that knows no more of them reads too.
_OLD_SECRETS = ("previous_secret", "previous_secret_until", "older_secrets")
_NAMES = (*_PLAIN, *_OLD_SECRETS, "filter", "status", *_HEALTH)
_JSON = frozenset({"filter", "older_secrets"})
_VALUES = {name: f"cast(:{name} AS json)" if name in _JSON else f":{name}" for name in _NAMES}
_KEPT = frozenset({"organization_id", "id", "created_at", "created_by"})
COLUMNS = ", ".join(f"h.{name}" for name in _NAMES)
ACTIVE = "h.status = 'active' AND h.deleted_at IS NULL"

_OF_ORGANIZATION = f"SELECT {COLUMNS} FROM notifications.webhook AS h WHERE h.organization_id = :organization_id"  # noqa: S608
_ONE = f"{_OF_ORGANIZATION} AND h.id = :id AND h.deleted_at IS NULL"
_LISTENING = text(
    f"SELECT {COLUMNS} FROM notifications.webhook AS h "  # noqa: S608
    f"WHERE {ACTIVE} AND h.organization_id = ANY(cast(:organizations AS text[])) ORDER BY h.organization_id, h.id"
)
_INSERT = text(
    f"INSERT INTO notifications.webhook ({', '.join(_NAMES)}) "  # noqa: S608
    f"VALUES ({', '.join(_VALUES[name] for name in _NAMES)})"
)
_REPLACE = text(
    "UPDATE notifications.webhook SET "  # noqa: S608
    + ", ".join(f"{name} = {_VALUES[name]}" for name in _NAMES if name not in _KEPT)
    + " WHERE organization_id = :organization_id AND id = :id"
)
_LOCK = text(
    f"SELECT {COLUMNS} FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[])) AS i (organization_id, id) "  # noqa: S608
    "JOIN notifications.webhook AS h USING (organization_id, id) ORDER BY h.organization_id, h.id FOR UPDATE OF h"
)
_WRITE_HEALTH = text("""
    UPDATE notifications.webhook AS h SET version = i.version, failures = i.failures, failing_since = i.failing_since,
        rests_until = i.rests_until, last_delivered_at = i.last_delivered_at, status = i.status,
        status_reason = i.status_reason
    FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:versions AS int[]),
        cast(:failures AS int[]), cast(:failing_since AS timestamptz[]), cast(:rests_until AS timestamptz[]),
        cast(:last_delivered_at AS timestamptz[]), cast(:statuses AS text[]), cast(:reasons AS text[]))
        AS i (organization_id, id, version, failures, failing_since, rests_until, last_delivered_at, status,
            status_reason)
    WHERE h.organization_id = i.organization_id AND h.id = i.id
""")


async def take_turn(connection: AsyncConnection, organization_id: str) -> None:
    """Wait until no other transaction adds a webhook to the organization; they are few and rare."""
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"notifications {organization_id}"}
    )


async def count(connection: AsyncConnection, organization_id: str) -> int:
    """Count an organization's webhooks."""
    found = await connection.scalar(
        text("SELECT count(*) FROM notifications.webhook WHERE organization_id = :org AND deleted_at IS NULL"),
        {"org": organization_id},
    )
    return int(found or 0)


async def one(
    connection: AsyncConnection, *, organization_id: str, webhook_id: UUID, to_change: bool = False
) -> Hook | None:
    """Find a webhook; with ``to_change`` nobody else changes it until the transaction ends."""
    result = await connection.execute(
        text(f"{_ONE} FOR UPDATE" if to_change else _ONE), {"organization_id": organization_id, "id": webhook_id}
    )
    row = result.first()
    return None if row is None else to_hook(row)


async def page(
    connection: AsyncConnection, *, organization_id: str, after: tuple[datetime, str] | None, limit: int
) -> list[Hook]:
    """List an organization's webhooks in the order in which they were made."""
    after_at, after_id = after or (None, None)
    rows = await connection.execute(
        text(
            f"{_OF_ORGANIZATION} AND h.deleted_at IS NULL AND (cast(:after_at AS timestamptz) IS NULL "
            "OR (h.created_at, h.id) > (:after_at, cast(:after_id AS uuid))) ORDER BY h.created_at, h.id LIMIT :limit"
        ),
        {"organization_id": organization_id, "after_at": after_at, "after_id": after_id, "limit": limit},
    )
    return [to_hook(row) for row in rows]


async def insert(connection: AsyncConnection, hook: Hook) -> None:
    """Add ``hook``."""
    await connection.execute(_INSERT, _values(hook))


async def replace(connection: AsyncConnection, hook: Hook) -> None:
    """Write ``hook`` over the one of its id."""
    await connection.execute(_REPLACE, _values(hook))


async def delete(connection: AsyncConnection, *, organization_id: str, webhook_id: UUID, now: datetime) -> bool:
    """Take a webhook away; tell whether there was one. Its deliveries are removed later."""
    result = await connection.execute(
        text(
            "UPDATE notifications.webhook SET deleted_at = :now "
            "WHERE organization_id = :organization_id AND id = :id AND deleted_at IS NULL"
        ),
        {"organization_id": organization_id, "id": webhook_id, "now": now},
    )
    return bool(result.rowcount)


async def listening(connection: AsyncConnection, organizations: Collection[str]) -> Mapping[str, Sequence[Hook]]:
    """Give the active webhooks of ``organizations``, by organization."""
    found: dict[str, list[Hook]] = defaultdict(list)
    for row in await connection.execute(_LISTENING, {"organizations": sorted(organizations)}):
        found[row.organization_id].append(to_hook(row))
    return found


async def lock(connection: AsyncConnection, keys: Collection[tuple[str, UUID]]) -> dict[UUID, Hook]:
    """Give webhooks by id, to be changed by this transaction alone; deleted ones too."""
    ordered = sorted(keys)
    rows = await connection.execute(
        _LOCK, {"organizations": [key[0] for key in ordered], "ids": [key[1] for key in ordered]}
    )
    return {row.id: to_hook(row) for row in rows}


async def write_health(connection: AsyncConnection, hooks: Sequence[Hook]) -> None:
    """Write how webhooks do, and whether they are active."""
    await connection.execute(
        _WRITE_HEALTH,
        {
            "organizations": [hook.organization_id for hook in hooks],
            "ids": [hook.id for hook in hooks],
            "versions": [hook.version for hook in hooks],
            "failures": [hook.health.failures for hook in hooks],
            "failing_since": [hook.health.failing_since for hook in hooks],
            "rests_until": [hook.health.rests_until for hook in hooks],
            "last_delivered_at": [hook.health.last_delivered_at for hook in hooks],
            "statuses": [hook.status for hook in hooks],
            "reasons": [hook.status_reason for hook in hooks],
        },
    )


def to_hook(row: Any) -> Hook:
    """Read a row of COLUMNS."""
    return Hook(
        **{name: getattr(row, name) for name in _PLAIN},
        old_secrets=tuple(_old_secrets(row)),
        filter=row.filter,
        status=WebhookStatus(row.status),
        health=Health(**{name: getattr(row, name) for name in _HEALTH}),
    )


def _values(hook: Hook) -> dict[str, Any]:
    return {
        **{name: getattr(hook, name) for name in _PLAIN},
        **{name: getattr(hook.health, name) for name in _HEALTH},
        **_old_secret_values(hook.old_secrets),
        "filter": json.dumps(hook.filter),
        "status": hook.status.value,
    }


def _old_secrets(row: Any) -> Iterator[OldSecret]:
    if row.previous_secret is not None:
        yield OldSecret(row.previous_secret, row.previous_secret_until)
    for older in row.older_secrets:
        yield OldSecret(older["secret"], datetime.fromisoformat(older["until"]))


def _old_secret_values(old_secrets: Sequence[OldSecret]) -> dict[str, Any]:
    newest = old_secrets[0] if old_secrets else None
    return {
        "previous_secret": newest and newest.sealed,
        "previous_secret_until": newest and newest.until,
        "older_secrets": json.dumps(
            [{"secret": old.sealed, "until": old.until.isoformat()} for old in old_secrets[1:]]
        ),
    }
