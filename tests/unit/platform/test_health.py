"""What the health port answers to probes, to Prometheus and to whoever sends something else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from services.platform.health import MAX_REQUEST_BYTES, serve_health
from services.platform.service import Readiness

HOST = "127.0.0.1"


class HealthPort:
    """The port under test, and what is in the service's way."""

    def __init__(self) -> None:
        self.trouble: tuple[str, ...] = ()
        self.port = 0

    async def readiness(self) -> Readiness:
        return Readiness(self.trouble)

    async def ask(self, method: str, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://{HOST}:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def send(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer


@pytest.fixture
async def health() -> AsyncIterator[HealthPort]:
    made = HealthPort()
    server = await serve_health(made.readiness, host=HOST, port=0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def test_a_ready_service_says_so(health: HealthPort) -> None:
    assert await health.ask("GET", "/healthz") == (200, '{"status": "alive"}')
    assert await health.ask("GET", "/readyz?verbose") == (200, '{"status": "ready", "trouble": []}')


async def test_a_service_in_trouble_is_alive_and_not_ready_and_says_why(health: HealthPort) -> None:
    health.trouble = ("outbox: not relayed",)

    assert (await health.ask("GET", "/healthz"))[0] == 200
    assert await health.ask("GET", "/readyz") == (503, '{"status": "not ready", "trouble": ["outbox: not relayed"]}')


async def test_metrics_are_what_prometheus_reads(health: HealthPort) -> None:
    status, body = await health.ask("GET", "/metrics")

    assert status == 200
    assert "# TYPE promotion_" in body


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_a_head_has_no_body(health: HealthPort, path: str) -> None:
    answer = await health.send(f"HEAD {path} HTTP/1.1\r\n\r\n".encode())

    assert answer.split(b" ")[1] == b"200"
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /elsewhere HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /readyz HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"GET /healthz\r\n\r\n", b"400"),
        (b"\x16\x03\x01 what is this\r\n\r\n", b"400"),
    ],
)
async def test_anything_else_is_refused(health: HealthPort, request_: bytes, status: bytes) -> None:
    assert (await health.send(request_)).split(b" ")[1] == status


async def test_a_request_without_end_is_cut_off_and_holds_up_nobody(health: HealthPort) -> None:
    reader, writer = await asyncio.open_connection(HOST, health.port)
    writer.write(b"GET /healthz HTTP/1.1\r\n")

    assert (await health.ask("GET", "/healthz"))[0] == 200
    writer.write(b"x" * 2 * MAX_REQUEST_BYTES)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
