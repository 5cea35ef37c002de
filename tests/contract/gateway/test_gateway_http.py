"""Whatever arrives on the socket, the answer is a problem that says why, and the gateway goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from studio.gateway import ReferenceGateway
from studio.gateway.connection import MAX_BODY_BYTES
from tests.contract.gateway.gateways import ContractClient, connected

PROBLEM = b"application/problem+json"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[ReferenceGateway]:
    async with ReferenceGateway(log=tmp_path / "g.log", gateway_id="gw-1", environment="staging") as opened:
        yield opened
        async with connected(opened.url) as client:
            assert (await client.ask("GET", "/healthz")).status == 200


@pytest.fixture
async def client(gateway: ReferenceGateway) -> AsyncIterator[ContractClient]:
    async with connected(gateway.url) as connected_client:
        yield connected_client


async def exchange(gateway: ReferenceGateway, sent: bytes) -> bytes:
    """Everything the gateway says to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def last_get(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        b"PUT /deployments/k HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"PUT /deployments/k HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
        b"PUT /deployments/k HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"PUT /deployments/k HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
async def test_bytes_that_are_no_request_get_400_and_the_connection_is_closed(
    gateway: ReferenceGateway, sent: bytes
) -> None:
    received = await exchange(gateway, sent)

    assert b"HTTP/1.1 400 Bad Request" in received
    assert PROBLEM in received


async def test_headers_over_the_limit_get_431(gateway: ReferenceGateway) -> None:
    received = await exchange(gateway, b"GET /healthz HTTP/1.1\r\nx: " + b"a" * 40_000 + b"\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 431 ")
    assert received.count(b"HTTP/1.1") == 1


async def test_a_body_at_the_limit_is_read_and_one_above_gets_413(client: ContractClient, key: str) -> None:
    body = json.dumps(client.body()).encode()

    at_limit = await client.put(key, raw=body.ljust(MAX_BODY_BYTES))
    above = await client.put(key, raw=body.ljust(MAX_BODY_BYTES + 1))
    far_above = await client.put(key, raw=body.ljust(4_000_000))

    assert at_limit.status == 201
    assert [(reply.status, reply.code) for reply in (above, far_above)] == [(413, "body_too_large")] * 2


async def test_a_body_without_end_is_cut_off(gateway: ReferenceGateway) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"PUT /deployments/k HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")

    async def pour() -> None:
        for _ in range(1000):
            writer.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")
            await writer.drain()

    with pytest.raises(ConnectionError):
        await pour()


async def test_chunked_and_dribbled_bodies_are_read(
    gateway: ReferenceGateway, client: ContractClient, key: str
) -> None:
    body = json.dumps(client.body()).encode()
    head = f"PUT /deployments/{key} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)

    for byte in head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body):
        writer.write(bytes([byte]))
        await asyncio.sleep(0)

    assert (await reader.read()).startswith(b"HTTP/1.1 201 ")
    writer.close()


async def test_pipelined_requests_are_answered_in_order(gateway: ReferenceGateway) -> None:
    paths = [b"/deployments/k%d" % number for number in range(100)]
    sent = b"".join(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n" for path in paths) + last_get(b"/healthz")

    received = await exchange(gateway, sent)

    bodies = [part.split(b'"detail": "')[1].split(b" ")[0] for part in received.split(b"HTTP/1.1 404")[1:]]
    assert bodies == [path.rsplit(b"/")[-1] for path in paths]
    assert received.count(b"HTTP/1.1 200 OK") == 1


async def test_what_came_before_garbage_is_still_answered(gateway: ReferenceGateway) -> None:
    received = await exchange(gateway, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGARBAGE\r\n\r\n")

    assert received.index(b"HTTP/1.1 200") < received.index(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "path", [b"/", b"//", b"/nix", b"/deployments/", b"/deployments/k/x", b"/healthz/", b"/Deployments/k", b"*"]
)
async def test_an_unknown_path_is_404_or_422(gateway: ReferenceGateway, path: bytes) -> None:
    received = await exchange(gateway, last_get(path))

    assert received.split(b" ", 2)[1] in (b"404", b"422")
    assert PROBLEM in received


@pytest.mark.parametrize("path", [b"/deployments/..", b"/deployments/%2e%2e%2fetc", b"/deployments/%c0%ae"])
async def test_a_path_that_climbs_is_a_malformed_key(gateway: ReferenceGateway, path: bytes) -> None:
    assert b"malformed_key" in await exchange(gateway, last_get(path))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/deployments", "GET"),
        ("POST", "/deployments/k", "GET, PUT, DELETE"),
        ("PATCH", "/deployments/k", "GET, PUT, DELETE"),
        ("OPTIONS", "/deployments/k", "GET, PUT, DELETE"),
        ("DELETE", "/healthz", "GET"),
    ],
)
async def test_a_method_that_the_path_does_not_know_is_405(
    client: ContractClient, method: str, path: str, allowed: str
) -> None:
    async with client.session.request(method, path) as response:
        assert (response.status, response.headers["Allow"]) == (405, allowed)
        assert (await response.json())["code"] == "method_not_allowed"


async def test_an_answer_to_head_has_no_body(gateway: ReferenceGateway) -> None:
    received = await exchange(gateway, b"HEAD /deployments/k HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 405 ")
    assert received.endswith(b"\r\n\r\n")


async def test_a_body_that_says_it_is_not_json_is_415(client: ContractClient, key: str) -> None:
    headers = {"Content-Type": "text/plain"}

    reply = await client.ask("PUT", f"/deployments/{key}", data=b"{}", headers=headers)

    assert (reply.status, reply.code) == (415, "unsupported_media_type")


async def test_a_client_that_leaves_before_the_answer_does_not_stop_the_effect(
    gateway: ReferenceGateway, client: ContractClient
) -> None:
    body = json.dumps(client.body()).encode()
    for number in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = f"PUT /deployments/k{number} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.transport.abort()

    async with asyncio.timeout(5):
        while len((await client.page()).json["items"]) < 50:
            await asyncio.sleep(0.01)


async def test_without_its_credential_a_gateway_answers_only_health(tmp_path: Path, key: str) -> None:
    async with (
        ReferenceGateway(
            log=tmp_path / "c.log", gateway_id="gw-1", environment="staging", credential="s3cret", allow_faults=True
        ) as gateway,
        connected(gateway.url) as stranger,
        connected(gateway.url, credential="wrong") as impostor,
        connected(gateway.url, credential="s3cret") as friend,
    ):
        refused = [
            await stranger.put(key),
            await impostor.put(key),
            await stranger.get(key),
            await stranger.delete(key),
            await stranger.page(),
            await stranger.ask("DELETE", "/faults"),
        ]

        assert {(reply.status, reply.code) for reply in refused} == {(401, "unauthenticated")}
        assert (await friend.get(key)).status == 404
        assert (await friend.put(key)).status == 201


async def test_half_a_request_and_silence_costs_the_others_nothing(
    gateway: ReferenceGateway, client: ContractClient, key: str
) -> None:
    dawdlers = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(50)]
    for _, writer in dawdlers:
        writer.write(b"PUT /deployments/k HTTP/1.1\r\ncontent-length: 500\r\n\r\n{")

    assert (await client.put(key)).status == 201

    for _, writer in dawdlers:
        writer.close()
