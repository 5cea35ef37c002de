"""A service starts on a schema that has all that it needs, and on no older one."""

import asyncpg
import pytest

from services.platform.schema_state import SchemaOutdated, head_of, require_current, schemas


async def at(database: str, revision: str) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute("UPDATE promotion.alembic_version SET version_num = $1", revision)
    await owner.close()


@pytest.mark.parametrize("schema", schemas())
async def test_what_is_migrated_is_current(database: str, schema: str) -> None:
    await require_current(database, schema)


async def test_an_older_one_is_refused_with_what_to_do(database: str) -> None:
    await at(database, "promotion_0001")

    with pytest.raises(SchemaOutdated, match=f"is at promotion_0001, this version needs {head_of('promotion')}; run"):
        await require_current(database, "promotion")


async def test_one_that_was_never_made_is_refused(empty_database: str) -> None:
    with pytest.raises(SchemaOutdated, match="is at nothing"):
        await require_current(empty_database, "promotion")


async def test_a_newer_one_has_all_that_is_needed_so_that_versions_may_run_beside_one_another(database: str) -> None:
    await at(database, "promotion_9999")

    await require_current(database, "promotion")
