"""Connections go to addresses that are allowed, whatever a name leads to and however often it changes its mind."""

import socket
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from services.platform.outward_calls import AddressGuard, AddressRefused

LOCAL = [ip_network("127.0.0.0/8")]


class Names(AbstractResolver):
    """A name server that gives the next answer each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            )
            for address in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        return


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", answer)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


def _session(guard: AddressGuard) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=guard, socket_factory=guard.open_socket, use_dns_cache=False)
    )


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["64:ff9b::7f00:1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%lo"],
    ],
)
async def test_a_name_that_leads_where_nothing_is_sent_is_refused(addresses: list[str]) -> None:
    guard = AddressGuard([], resolver=Names(addresses))

    with pytest.raises(AddressRefused) as caught:
        await guard.resolve("gateway.example", 80)

    assert not any(address in str(caught.value) for address in addresses)


async def test_a_name_that_leads_to_an_allowed_network_is_connected_to(server: TestServer) -> None:
    names = Names(["127.0.0.1"])

    async with (
        _session(AddressGuard(LOCAL, resolver=names)) as session,
        session.get(f"http://gateway.example:{server.port}/") as response,
    ):
        text = await response.text()

    assert (text, names.asked) == ("here", 1)


async def test_a_name_that_changes_its_mind_reaches_nothing(server: TestServer) -> None:
    guard = AddressGuard([], resolver=Names(["8.8.8.8"], ["127.0.0.1"]))
    await guard.resolve("gateway.example", 80)

    async with _session(guard) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://gateway.example:{server.port}/")


async def test_an_address_that_is_written_out_is_checked_as_well(server: TestServer) -> None:
    async with _session(AddressGuard([], resolver=Names([]))) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{server.port}/")
