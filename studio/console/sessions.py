"""Who is signed in: a random id in the browser's cookie, its hash in PostgreSQL beside the key that signed in.

A session ends with its key, at the latest on the next request.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.identity import Principal, principal_of_key

LIFETIME = timedelta(hours=12)
MAX_TOKEN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Sessions:
    """The stored sessions; ``database`` acts as the platform's role."""

    database: Database
    clock: Clock

    async def begin(self, key_id: str) -> str:
        """Sign the owner of a key in; give the token for the cookie. Sweeps out what has expired."""
        token, now = secrets.token_urlsafe(32), self.clock()
        async with self.database.begin() as connection:
            await connection.execute(
                text("DELETE FROM platform.console_session WHERE expires_at <= :now"), {"now": now}
            )
            await connection.execute(
                text("INSERT INTO platform.console_session VALUES (:id_hash, :key_id, :now, :expires_at)"),
                {"id_hash": _hash(token), "key_id": key_id, "now": now, "expires_at": now + LIFETIME},
            )
        return token

    async def find(self, token: str) -> Principal | None:
        """Give whom a token stands for, or None where it or its key is unknown, expired or revoked."""
        if not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            return None
        async with self.database.begin() as connection:
            result = await connection.execute(
                text(
                    "SELECT k.id, k.organization_id, k.subject, k.owner, k.roles FROM platform.console_session s "
                    "JOIN platform.api_key k ON k.id = s.key_id WHERE s.id_hash = :id_hash AND s.expires_at > :now "
                    "AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now)"
                ),
                {"id_hash": _hash(token), "now": self.clock()},
            )
            row = result.first()
        if row is None:
            return None
        return principal_of_key(
            row.id, organization_id=row.organization_id, subject=row.subject, owner=row.owner, roles=row.roles
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
