"""A PostgreSQL of these tests' own, to stop, fill and lock; an ingress on it; and a whole stack."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from services.ingress.door import ANSWER_SECONDS
from services.platform.migrate import migrate
from studio.local.ports import claim_port
from studio.local.postgres import EmbeddedPostgres
from tests.integration.ingress.conftest import Door, serving, settings_on
from tests.integration.studio.running import RunningStack

DATABASE = "degraded"
MOST_CONNECTIONS = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A migrated server with few connections, on a port that it keeps; tests leave it running."""
    settings = {"fsync": "off", "full_page_writes": "off", "max_connections": str(MOST_CONNECTIONS)}
    server = EmbeddedPostgres(
        tmp_path_factory.mktemp("degraded"), claim_port(None, server="PostgreSQL"), settings=settings
    )
    server.start()
    server.create_database(DATABASE)
    migrate(server.dsn_for(DATABASE))
    yield server
    server.stop()


@pytest.fixture
async def door(server: EmbeddedPostgres) -> AsyncIterator[Door]:
    """An ingress as it is in earnest, and callers whose keys it knows."""
    dsn = server.dsn_for(DATABASE)
    async with serving(settings_on(dsn), dsn, answer_seconds=ANSWER_SECONDS) as served:
        for role in ("admin", "requester"):
            await served.key(role)
        yield served


@pytest.fixture
async def owner(server: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """A session of the owner's, which nothing shuts out once it is open."""
    connection = await asyncpg.connect(server.dsn_for(DATABASE))
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A whole local system; tests leave it repaired."""
    running = RunningStack(tmp_path_factory.mktemp("stack"))
    running.start()
    yield running
    running.stop()
