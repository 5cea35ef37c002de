"""Commands about API keys: create, list, revoke. They speak to the database, so that a first key can be made."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from studio.cli.database import database_url, open_database
from studio.cli.exits import CommandFailed, UsageError
from studio.cli.options import Output
from studio.cli.output import Column, note, show_rows

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

app = App(
    name="token",
    help="API keys, directly on the database: DATABASE_URL and PROMOTION_KEY_PEPPER as the services have them.",
)

COLUMNS = (
    Column("ID", "id"),
    Column("ORGANIZATION", "organization_id"),
    Column("SUBJECT", "subject"),
    Column("OWNER", "owner"),
    Column("ROLES", lambda row: ",".join(row["roles"])),
    Column("CREATED", "created_at"),
    Column("EXPIRES", "expires_at"),
    Column("REVOKED", "revoked_at"),
)


@app.command
async def create(
    *,
    organization: str,
    subject: str,
    role: Annotated[list[str], Parameter(negative="")],
    owner: str | None = None,
    expires_in_days: float | None = None,
) -> None:
    """Make a key and print it: the only time that it can be seen.

    Parameters
    ----------
    organization
        The organization that it speaks for.
    subject
        The person or program that it belongs to.
    role
        What it may do, everywhere or in one environment (approver, approver:production); may be given several times.
    owner
        The person as whom a program's key acts; all keys of a person together are one voter.
    expires_in_days
        When it ends to work; never by default.
    """
    from services.platform.clock import utc_now
    from services.platform.grants import Grants, WrongGrant
    from services.platform.identity import create_key

    pepper = os.environ.get("PROMOTION_KEY_PEPPER", "")
    if not pepper:
        raise UsageError("PROMOTION_KEY_PEPPER is not set; set it to what the services have, or the key will not work")
    _check_identifier("--organization", organization)
    _check_identifier("--subject", subject)
    if owner is not None:
        _check_identifier("--owner", owner)
    try:
        grants = Grants.read(role)
    except WrongGrant as error:
        raise UsageError(f"--role {error}") from None
    lifetime = None if expires_in_days is None else timedelta(days=expires_in_days)
    async with _connection() as connection:
        key = await create_key(
            connection,
            organization_id=organization,
            subject=subject,
            owner=owner,
            grants=grants,
            pepper=pepper,
            now=utc_now(),
            lifetime=lifetime,
        )
    note("the key is shown once; keep it where nobody else can read it")
    print(key)


@app.command(name="list")
async def list_(*, organization: str | None = None, output: Output = "table") -> None:
    """List the keys, without their secrets, newest first.

    Parameters
    ----------
    organization
        Only those of this organization.
    """
    from services.platform.identity import list_keys

    async with _connection() as connection:
        keys = await list_keys(connection, organization_id=organization)
    show_rows([_row(key) for key in keys], COLUMNS, output)


@app.command
async def revoke(key: str, /) -> None:
    """Revoke a key; it works for 10 seconds more at most.

    Parameters
    ----------
    key
        The key's id, as list shows it.
    """
    from services.platform.clock import utc_now
    from services.platform.identity import revoke_key

    async with _connection() as connection:
        revoked = await revoke_key(connection, key, now=utc_now())
    if not revoked:
        raise CommandFailed(f"there is no key {key!r} that could be revoked; see: promotion token list")
    note(f"key {key} is revoked")


@asynccontextmanager
async def _connection() -> "AsyncIterator[AsyncConnection]":
    from services.platform.schema_state import role_of

    async with (
        open_database(database_url(whose="the services'"), role=role_of("platform"), command="token") as database,
        database.begin() as connection,
    ):
        yield connection


def _row(key: Any) -> dict[str, Any]:
    return {
        "id": key.id,
        "organization_id": key.organization_id,
        "subject": key.subject,
        "owner": key.owner,
        "roles": list(key.roles),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }


def _check_identifier(option: str, value: str) -> None:
    import re

    from schemas.text import IDENTIFIER

    if not re.fullmatch(IDENTIFIER, value) or len(value) > 200:
        raise UsageError(f"{option} {value!r} is not an identifier: letters, digits and . _ : @ | + = ~ - are allowed")
