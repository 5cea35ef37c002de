"""The services' schemas: their names, their roles, and whether the database has what this version needs.

It reads the migrations' names alone; what applies them is in ``migrate``, and takes memory that no service needs.
"""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.platform.database import driver_url

SERVICES = Path(__file__).parent.parent
FIRST = "platform"


class SchemaOutdated(Exception):
    """The database lacks migrations that this version of a service needs; run ``promotion migrate``."""


def schemas() -> list[str]:
    """Name the schemas that have a migration tree, in the order in which they are migrated."""
    found = sorted(folder.parent.name for folder in SERVICES.glob("*/migrations") if any(folder.glob("*.py")))
    return sorted(found, key=lambda name: name != FIRST)


def role_of(schema: str) -> str:
    """Name the database role that is the only writer of ``schema``."""
    return f"promotion_{schema}"


def head_of(schema: str) -> str:
    """Name the last revision of a schema: its files are numbered, ``0007_what_it_does.py`` makes ``schema_0007``."""
    last = max(file.name for file in (SERVICES / schema / "migrations").glob("*.py"))
    return f"{schema}_{last.partition('_')[0]}"


async def require_current(url: str, schema: str) -> None:
    """Raise SchemaOutdated unless every migration of ``schema`` is applied; a newer version may have applied more."""
    head = head_of(schema)
    engine = create_async_engine(driver_url(url))
    try:
        async with engine.connect() as connection:
            known = await connection.scalar(
                text("SELECT to_regclass(:name)::text"), {"name": f"{schema}.alembic_version"}
            )
            current = known and await connection.scalar(
                text(f"SELECT version_num FROM {schema}.alembic_version")  # noqa: S608
            )
    finally:
        await engine.dispose()
    # Their numbers have as many digits.
    if not current or current < head:
        raise SchemaOutdated(
            f"schema {schema} is at {current or 'nothing'}, this version needs {head}; run: promotion migrate"
        )
