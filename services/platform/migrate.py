"""Brings every service's schema up to date: one migration tree a schema, applied by one process at a time.

A tree is the folder ``services/<name>/migrations``; its versions table lives in the schema that it makes.
"""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from services.platform.database import driver_url
from services.platform.row_security import VIEW_ROLE, secure
from services.platform.schema_state import SERVICES, role_of, schemas

# Members may read what services publish for one another.
READER_ROLE = "promotion_reader"


def migrate(url: str) -> None:
    """Apply what is missing of every tree, under an advisory lock; ``url`` is the owner's."""
    asyncio.run(migrate_async(url))


async def migrate_async(url: str) -> None:
    """Do what ``migrate`` does, from within an event loop."""
    engine = create_async_engine(driver_url(url))
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(hashtext('promotion migrate'))"))
            await connection.commit()
            await connection.run_sync(_migrate_all)
    finally:
        await engine.dispose()


def _migrate_all(connection: Connection) -> None:
    names = schemas()
    for role in (READER_ROLE, VIEW_ROLE, *(role_of(name) for name in names)):
        _ensure_role(connection, role)
    # Only a member of a role may give it something to own.
    connection.execute(text(f"GRANT {VIEW_ROLE} TO CURRENT_USER"))
    for name in names:
        connection.execute(text(f"GRANT {READER_ROLE} TO {role_of(name)}"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {name} TO {role_of(name)}, {READER_ROLE}"))
        connection.commit()
        config = _config(name)
        config.attributes["connection"] = connection
        config.attributes["schema"] = name
        command.upgrade(config, "head")
        secure(connection, name)
        connection.execute(text(f"GRANT SELECT ON {name}.alembic_version TO {READER_ROLE}"))
        connection.commit()


def _ensure_role(connection: Connection, role: str) -> None:
    # Roles belong to the whole server: another database's migration may make the same one at the same time.
    connection.execute(
        text(
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    )
    connection.commit()


def _config(schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("version_locations", str(SERVICES / schema / "migrations"))
    config.set_main_option("path_separator", "newline")
    return config
