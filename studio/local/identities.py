"""The people and programs of a local stack, each with an API key that stays the same from run to run.

For local use alone: the keys lie in a file of the data folder, mode 0600.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.grants import Grants
from services.platform.identity import KeyRing, create_key
from services.platform.schema_state import role_of
from studio.local.private_files import write_private

ORGANIZATION = "acme"
OTHER_ORGANIZATION = "globex"
# Whose key PromotionService() and the command line use; it names the person that it acts for.
SERVICE = "delegate"


@dataclass(frozen=True)
class Identity:
    """Somebody with a key."""

    name: str
    organization_id: str
    roles: tuple[Role, ...]


IDENTITIES = (
    Identity("requester", ORGANIZATION, (Role.REQUESTER, Role.VIEWER)),
    Identity("approver", ORGANIZATION, (Role.APPROVER, Role.VIEWER)),
    Identity("approver2", ORGANIZATION, (Role.APPROVER, Role.VIEWER)),
    Identity("admin", ORGANIZATION, (Role.ADMIN,)),
    Identity("operator", ORGANIZATION, (Role.OPERATOR,)),
    Identity("viewer", ORGANIZATION, (Role.VIEWER,)),
    Identity("outsider", OTHER_ORGANIZATION, (Role.ADMIN,)),
    Identity(SERVICE, ORGANIZATION, (Role.DELEGATE, Role.PUBLISHER)),
)


async def ensure_identities(url: str, *, file: Path, pepper: str, clock: Clock) -> dict[str, str]:
    """Give each identity's key, name → key; keys that are missing or no longer work are made anew.

    A key is in the file before it is in the database for good, so that a crash leaves at worst one unused.
    """
    database = Database(
        url, role=role_of("platform"), application_name="local-identities", pool_size=2, every_organization=True
    )
    try:
        kept = _read(file)
        ring = KeyRing(database, pepper, clock)
        working = {name: key for name, key in kept.items() if await ring.verify(key) is not None}
        missing = [identity for identity in IDENTITIES if identity.name not in working]
        if missing:
            async with database.begin() as connection:
                working |= await _create(connection, missing, pepper=pepper, now=clock())
                write_private(file, json.dumps(working, indent=2) + "\n")
    finally:
        await database.close()
    return working


def _read(file: Path) -> Mapping[str, str]:
    if not file.exists():
        return {}
    kept = json.loads(file.read_text(encoding="utf-8"))
    return {str(name): str(key) for name, key in kept.items()}


async def _create(
    connection: AsyncConnection, identities: list[Identity], *, pepper: str, now: datetime
) -> dict[str, str]:
    return {
        identity.name: await create_key(
            connection,
            organization_id=identity.organization_id,
            subject=identity.name,
            grants=Grants.of(*identity.roles),
            pepper=pepper,
            now=now,
        )
        for identity in identities
    }
