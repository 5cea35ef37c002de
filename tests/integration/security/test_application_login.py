"""The logins that docs/security.md gives: an owner that is no superuser, and services that own nothing."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.platform.migrate import migrate_async
from services.platform.schema_state import require_current, role_of, schemas
from services.platform.settings import Settings
from studio.local.postgres import EmbeddedPostgres
from tests.integration.ingress.conftest import serving

PAGE = Path(__file__).parents[3] / "docs" / "security.md"
OF_APPLICATION, OF_OWNER = re.findall(r"```sql\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
PASSWORD = "of-the-application"


@pytest.fixture
async def application(database: str) -> str:
    """The URL of a login as the page makes it."""
    owner = await asyncpg.connect(database)
    # Roles belong to the whole server, where another test may have made it.
    if await owner.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = 'promotion_app'") == 0:
        await owner.execute(OF_APPLICATION.replace("…", PASSWORD))
    await owner.close()
    parts = urlsplit(database)
    return f"postgresql://promotion_app:{PASSWORD}@{parts.hostname}:{parts.port}{parts.path}"


async def test_the_door_works_under_it(application: str, settings: Settings) -> None:
    own = settings.model_copy(update={"database_url": type(settings.database_url)(application)})
    gateway = {"gateway_id": "gw", "environment": "staging", "url": "http://gw:8443", "credential": "s3cret"}
    rule = {"name": "r", "source_environment": "development", "target_environment": "staging"}

    async with serving(own, application, answer_seconds=10) as door:
        made = await door.call("POST", "/api/v1/gateways", gateway)
        ruled = await door.call("POST", "/api/v1/promotions/rules", rule)
        listed = await door.call("GET", "/api/v1/gateways")
        foreign = await door.call("GET", "/api/v1/gateways", organization="globex")

    assert (made.status, ruled.status) == (201, 201)
    assert [item["gateway_id"] for item in listed.items] == ["gw"]
    assert foreign.items == []


@pytest.mark.parametrize("schema", schemas())
async def test_a_service_finds_its_schema_and_takes_on_its_role(application: str, schema: str) -> None:
    await require_current(application, schema)
    connection = await asyncpg.connect(application, server_settings={"role": role_of(schema)})

    assert await connection.fetchval("SELECT current_user") == role_of(schema)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"CREATE TABLE {schema}.mine (id int)")
    await connection.close()


async def test_an_owner_without_powers_migrates(tmp_path: Path) -> None:
    # Roles and rights on parameters belong to the whole server: this one is its own.
    server = EmbeddedPostgres(tmp_path)
    server.start()
    try:
        superuser = await asyncpg.connect(server.dsn_for("postgres"))
        await superuser.execute("CREATE ROLE promotion_owner LOGIN NOSUPERUSER PASSWORD 'of-the-owner'")
        await superuser.execute(OF_OWNER)
        await superuser.execute("CREATE DATABASE owned OWNER promotion_owner")
        await superuser.close()
        parts = urlsplit(server.dsn_for("owned"))
        owned = f"postgresql://promotion_owner:of-the-owner@{parts.hostname}:{parts.port}{parts.path}"

        await migrate_async(owned)

        for schema in schemas():
            await require_current(owned, schema)
    finally:
        server.stop()
