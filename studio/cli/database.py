"""The database as those commands reach it that do not speak to the API: at DATABASE_URL, its troubles in sentences."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from studio.cli.exits import CommandFailed, UsageError

if TYPE_CHECKING:
    from services.platform.database import Database


def database_url(*, whose: str) -> str:
    """Give DATABASE_URL; raises UsageError where it is not set, and says ``whose`` address it has to be."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise UsageError(f"DATABASE_URL is not set; set it to {whose} address of the database: postgresql://…")
    return url


@asynccontextmanager
async def open_database(
    url: str, *, role: str | None, command: str, command_timeout_seconds: float = 30.0
) -> "AsyncIterator[Database]":
    """Give the database as ``role``, or as whoever the URL names; raises CommandFailed where it does not answer."""
    from services.platform.database import Database, DatabaseUnavailable

    database = Database(
        url,
        role=role,
        application_name=f"promotion-{command}",
        pool_size=1,
        command_timeout_seconds=command_timeout_seconds,
        every_organization=True,
    )
    try:
        yield database
    except (DatabaseUnavailable, OSError) as error:
        raise CommandFailed(f"the database does not answer: {error}") from error
    finally:
        await database.close()
