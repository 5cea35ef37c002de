"""The gateways that the contract suite runs against: in this process, in its own, and one from elsewhere if named."""

import json
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from studio.gateway import ReferenceGateway
from tests.contract.gateway.gateways import COMMAND, ContractClient, connected

EXTERNAL_URL = os.environ.get("GATEWAY_UNDER_TEST")


@pytest.fixture(scope="session")
def process_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with subprocess.Popen([*COMMAND, "--log", str(log)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


@pytest.fixture(params=["in this process", "in its own process", *(["elsewhere"] if EXTERNAL_URL else [])])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ContractClient]:
    match request.param:
        case "in this process":
            log = tmp_path / "gateway.log"
            async with (
                ReferenceGateway(log=log, gateway_id="gw-1", environment="staging") as gateway,
                connected(gateway.url) as connected_client,
            ):
                yield connected_client
        case "in its own process":
            async with connected(request.getfixturevalue("process_url")) as connected_client:
                yield connected_client
        case _:
            assert EXTERNAL_URL is not None
            async with connected(EXTERNAL_URL) as connected_client:
                yield connected_client


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def later_key() -> str:
    return str(uuid.uuid4())
