"""Which records are let in under ``KAFKA_TRUST=signed``: those that our services signed, and those that a key's holder
signed and may publish. What does not verify is parked by whoever asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import EncodedRecord, Unreadable
from schemas.events import Event
from services.platform.identity import CACHE_SECONDS, CACHE_SIZE, Principal, principal_of_key
from services.platform.messaging.dead_letters import Record
from services.platform.messaging.signatures import SERVICE, is_signed_by, service_key, signature_of
from services.platform.messaging.signing_keys import open_signing_key
from services.platform.outsiders import from_outside

UNAUTHENTICATED = "unauthenticated"
# Event ids are remembered so long; an older record could be a repetition that nobody notices.
REPLAY_WINDOW = timedelta(days=7)
CLOCK_TOLERANCE = timedelta(minutes=10)

_SIGNERS = text(
    "SELECT id, organization_id, subject, owner, roles, signing_key FROM platform.published_signer "
    "WHERE id = ANY(cast(:ids AS text[])) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)"
)


@dataclass(frozen=True, slots=True)
class Signer:
    """An API key's holder, and what the key signs with."""

    principal: Principal
    key: bytes


@dataclass(slots=True)
class Gate:
    """Admits records; remembers each signer for a few seconds."""

    pepper: str
    _known: dict[str, tuple[datetime, Signer | None]] = field(default_factory=dict)
    _service_key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._service_key = service_key(self.pepper)

    def unknown(self, records: Sequence[Record], now: datetime) -> list[str]:
        """Name the keys that ``records`` are signed with and that have to be looked up."""
        named = {signature.key_id for record in records if (signature := signature_of(record.headers)) is not None}
        return sorted(one for one in named - {SERVICE} if one not in self._known or self._known[one][0] <= now)

    async def learn(self, connection: AsyncConnection, key_ids: Sequence[str], now: datetime) -> None:
        """Look up the holders of ``key_ids``."""
        rows = await connection.execute(_SIGNERS, {"ids": [one for one in key_ids if one.isalnum()], "now": now})
        found: dict[str, Signer | None] = {row.id: self._signer(row) for row in rows}
        if len(self._known) + len(key_ids) > CACHE_SIZE:
            self._known.clear()
        until = now + timedelta(seconds=CACHE_SECONDS)
        self._known |= {one: (until, found.get(one)) for one in key_ids}

    def admit(self, record: Record, event: Event, now: datetime) -> Event:
        """Give ``event`` as its signer may say it; raises Unreadable with the code ``unauthenticated`` or another."""
        signature = signature_of(record.headers)
        if signature is None:
            raise Unreadable(UNAUTHENTICATED, "the record has no signature that can be read; sign it with an API key")
        encoded = EncodedRecord(record.topic, record.key, record.headers, record.value)
        if signature.key_id == SERVICE:
            if not is_signed_by(encoded, signature, self._service_key):
                raise Unreadable(UNAUTHENTICATED, "the record is not signed by our services, although it says so")
            return event
        signer = self._known.get(signature.key_id, (now, None))[1]
        if signer is None or not is_signed_by(encoded, signature, signer.key):
            raise Unreadable(UNAUTHENTICATED, "the signature is wrong, or its key unknown, expired or revoked")
        if not now - REPLAY_WINDOW <= event.time <= now + CLOCK_TOLERANCE:
            raise Unreadable(
                UNAUTHENTICATED,
                f"the event's time {event.time.isoformat()} is older than {REPLAY_WINDOW.days} days or lies ahead; "
                "publish it anew",
            )
        return from_outside(event, signer.principal)

    def _signer(self, row: Any) -> Signer | None:
        key = None if row.signing_key is None else open_signing_key(row.signing_key, self.pepper)
        if key is None:
            return None
        principal = principal_of_key(
            row.id, organization_id=row.organization_id, subject=row.subject, owner=row.owner, roles=row.roles
        )
        return Signer(principal, key)
