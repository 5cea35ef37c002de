"""Who is signed in: a random id in the browser's cookie, its hash in PostgreSQL beside the key that signed in, or
beside what the issuer said of who did.

A session of a key ends with it, at the latest on the next request.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.grants import Grants
from services.platform.identity import Principal, principal_of_key
from services.platform.tokens import OF_ISSUER

LIFETIME = timedelta(hours=12)
MAX_TOKEN_CHARACTERS = 100

_BEGIN = text(
    "INSERT INTO platform.console_session (id_hash, key_id, created_at, expires_at, organization_id, subject, roles) "
    "VALUES (:id_hash, :key_id, :now, :until, :organization_id, :subject, cast(:roles AS text[]))"
)
_FIND = text(
    "SELECT s.key_id, coalesce(k.organization_id, s.organization_id) AS organization_id, "
    "coalesce(k.subject, s.subject) AS subject, k.owner, coalesce(k.roles, s.roles) AS roles "
    "FROM platform.console_session s LEFT JOIN platform.api_key k ON k.id = s.key_id "
    "WHERE s.id_hash = :id_hash AND s.expires_at > :now AND (s.key_id IS NULL "
    "OR (k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now)))"
)


@dataclass(frozen=True, slots=True)
class Sessions:
    """The stored sessions; ``database`` acts as the platform's role."""

    database: Database
    clock: Clock

    async def begin(self, key_id: str) -> str:
        """Sign the owner of a key in; give the token for the cookie. Sweeps out what has expired."""
        return await self._begin(LIFETIME, {"key_id": key_id})

    async def begin_for(self, principal: Principal, *, lifetime: timedelta) -> str:
        """Sign somebody in as whom the issuer named, with the roles that it gave; give the token for the cookie."""
        person = {
            "organization_id": principal.organization_id,
            "subject": principal.subject,
            "roles": principal.grants.texts(),
        }
        return await self._begin(lifetime, person)

    async def _begin(self, lifetime: timedelta, who: Mapping[str, object]) -> str:
        token, now = secrets.token_urlsafe(32), self.clock()
        values = {"key_id": None, "organization_id": None, "subject": None, "roles": None, **who}
        async with self.database.begin() as connection:
            await connection.execute(
                text("DELETE FROM platform.console_session WHERE expires_at <= :now"), {"now": now}
            )
            await connection.execute(_BEGIN, {**values, "id_hash": _hash(token), "now": now, "until": now + lifetime})
        return token

    async def find(self, token: str) -> Principal | None:
        """Give whom a token stands for, or None where it or its key is unknown, expired or revoked."""
        if not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            return None
        async with self.database.begin() as connection:
            row = (await connection.execute(_FIND, {"id_hash": _hash(token), "now": self.clock()})).first()
        if row is None:
            return None
        if row.key_id is None:
            return Principal(row.organization_id, row.subject, Grants.known(row.roles), OF_ISSUER)
        return principal_of_key(
            row.key_id, organization_id=row.organization_id, subject=row.subject, owner=row.owner, roles=row.roles
        )

    async def end(self, token: str) -> None:
        """Sign out."""
        async with self.database.begin() as connection:
            await connection.execute(
                text("DELETE FROM platform.console_session WHERE id_hash = :id_hash"), {"id_hash": _hash(token)}
            )


def _hash(token: str) -> bytes:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode()).digest()
