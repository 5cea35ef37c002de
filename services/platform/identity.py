"""Who is calling: principals and their API keys.

A key is ``pk_<id>_<secret>`` with 256 bits of secret, shown once and stored as an HMAC under the deployment's pepper.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.principals import principal_key
from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.grants import Grants
from services.platform.messaging.signing_keys import seal_signing_key

# A revoked key works no longer than this after its revocation.
CACHE_SECONDS = 10.0
CACHE_SIZE = 10_000
KEY_PREFIX = "pk"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request acts for.

    ``subject`` is the person, or the program that no person owns; ``via`` is the name of the person's credential, or
    of the delegate, that acts for them.
    """

    organization_id: str
    subject: str
    grants: Grants
    key_id: str
    via: str | None = None

    def may(self, *roles: Role, environment: str | None = None) -> bool:
        """Tell whether any of ``roles`` is held in ``environment``; without one, in all environments."""
        return any(self.grants.may(role, environment) for role in roles)

    def may_somewhere(self, *roles: Role) -> bool:
        """Tell whether any of ``roles`` is held in some environment; ask again when it is known in which."""
        return any(self.grants.may_somewhere(role) for role in roles)

    def on_behalf_of(self, subject: str) -> "Principal":
        """Give the principal as which a delegate acts for ``subject``; without the role it may do nothing."""
        return Principal(
            self.organization_id, subject, self.grants.delegated(), self.key_id, via=self.via or self.subject
        )


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key, without its secret; ``owner`` is the person as whom it acts, None for a program by itself."""

    id: str
    organization_id: str
    subject: str
    owner: str | None
    roles: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def principal(self) -> Principal:
        """Give as whom the key acts."""
        return principal_of_key(
            self.id, organization_id=self.organization_id, subject=self.subject, owner=self.owner, roles=self.roles
        )


def principal_of_key(
    identifier: str, *, organization_id: str, subject: str, owner: str | None, roles: Iterable[str]
) -> Principal:
    """Give as whom a stored key acts: its owner's votes are one person's, whichever key casts them.

    A stored role that this version does not know grants nothing.
    """
    via = None if owner is None or principal_key(owner) == principal_key(subject) else subject
    return Principal(organization_id, owner or subject, Grants.known(roles), identifier, via=via)


def new_key() -> tuple[str, str]:
    """Make a key: its id and the whole key, to be shown once."""
    identifier = secrets.token_hex(8)
    return identifier, f"{KEY_PREFIX}_{identifier}_{secrets.token_urlsafe(32)}"


def digest(key: str, pepper: str) -> bytes:
    """Give what is stored of a key."""
    return hmac.new(pepper.encode(), key.encode(), hashlib.sha256).digest()


_COLUMNS = "id, organization_id, subject, owner, roles, created_at, expires_at, revoked_at"


def _api_key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        organization_id=row.organization_id,
        subject=row.subject,
        owner=row.owner,
        roles=tuple(row.roles),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


async def create_key(
    connection: AsyncConnection,
    *,
    organization_id: str,
    subject: str,
    grants: Grants,
    pepper: str,
    now: datetime,
    owner: str | None = None,
    lifetime: timedelta | None = None,
) -> str:
    """Store a new key; give it whole, the only time that it can be seen.

    ``subject`` names the key's holder; with an ``owner``, a person, the key acts as that person.
    """
    identifier, key = new_key()
    await connection.execute(
        text(
            "INSERT INTO platform.api_key (id, organization_id, subject, owner, roles, digest, signing_key, "
            "created_at, expires_at) VALUES (:id, :organization_id, :subject, :owner, cast(:roles AS text[]), :digest, "
            ":signing_key, :now, :expires_at)"
        ),
        {
            "id": identifier,
            "organization_id": organization_id,
            "subject": subject,
            "owner": owner,
            "roles": grants.texts(),
            "digest": digest(key, pepper),
            "signing_key": seal_signing_key(key, pepper),
            "now": now,
            "expires_at": None if lifetime is None else now + lifetime,
        },
    )
    return key


async def list_keys(connection: AsyncConnection, *, organization_id: str | None = None) -> list[ApiKey]:
    """List the keys, of one organization or of all, newest first."""
    rows = await connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM platform.api_key WHERE cast(:org AS text) IS NULL "  # noqa: S608
            "OR organization_id = :org ORDER BY created_at DESC, id"
        ),
        {"org": organization_id},
    )
    return [_api_key(row) for row in rows]


async def revoke_key(connection: AsyncConnection, identifier: str, *, now: datetime) -> bool:
    """Revoke a key; tell whether there was one that was not revoked before."""
    result = await connection.execute(
        text("UPDATE platform.api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id"),
        {"id": identifier, "now": now},
    )
    return result.first() is not None


@dataclass(slots=True)
class KeyRing:
    """Verifies keys against the stored ones; remembers each answer for a few seconds."""

    database: Database
    pepper: str
    clock: Clock
    _known: dict[bytes, tuple[datetime, Principal | None]] = field(default_factory=dict)

    async def verify(self, key: str) -> Principal | None:
        """Give the principal of ``key``, or None when it is unknown, expired or revoked."""
        parts = key.split("_", 2)
        if len(parts) != 3 or parts[0] != KEY_PREFIX or not (key.isascii() and key.isprintable()):
            return None
        now, presented = self.clock(), digest(key, self.pepper)
        remembered = self._known.get(presented)
        if remembered is not None and remembered[0] > now:
            return remembered[1]
        found = await self._look_up(parts[1], presented, now)
        remember_until = now + timedelta(seconds=CACHE_SECONDS)
        if found is not None and found.expires_at is not None:
            remember_until = min(remember_until, found.expires_at)
        if len(self._known) >= CACHE_SIZE:
            self._known.clear()
        principal = None if found is None else found.principal()
        self._known[presented] = (remember_until, principal)
        return principal

    async def _look_up(self, identifier: str, presented: bytes, now: datetime) -> ApiKey | None:
        async with self.database.begin() as connection:
            result = await connection.execute(
                text(f"SELECT {_COLUMNS}, digest FROM platform.api_key WHERE id = :id"),  # noqa: S608
                {"id": identifier},
            )
            row = result.first()
        if row is None or not hmac.compare_digest(row.digest, presented):
            return None
        key = _api_key(row)
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            return None
        return key
