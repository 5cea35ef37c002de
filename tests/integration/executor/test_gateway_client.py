"""The client of gateways: what it sends, and where it never sends it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from uuid import uuid4

import pytest

from services.executor.domain.answers import Answer, Call, NoAnswer, read_reply
from services.executor.gateways import GatewayClient
from services.executor.store.gateways import Gateway
from services.platform.vault import Place
from studio.gateway import read_log
from studio.gateway.records import RequestReceived
from tests.integration.executor.executors import VAULT, reference_gateway
from tests.unit.executor.executions import ORDER, START

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def received(log: Path) -> list[RequestReceived]:
    return [item for item in read_log(log) if isinstance(item, RequestReceived)]


def at(url: str | None, *, credential: str | None = None) -> Gateway:
    sealed = None if credential is None else VAULT.seal(credential, Place("acme", "gw-1", str(url)))
    return Gateway("acme", "gw-1", url, sealed, 8)


def new_client(*, timeout_seconds: float) -> GatewayClient:
    return GatewayClient(timeout_seconds=timeout_seconds, vault=VAULT, allowed=[ip_network("127.0.0.0/8")])


async def test_the_fencing_token_and_the_trace_travel_in_headers(tmp_path: Path) -> None:
    traced = replace(ORDER, traceparent=TRACEPARENT)
    async with reference_gateway(tmp_path) as gateway, new_client(timeout_seconds=2) as client:
        await client.ask(Call.PUT, ORDER, at(gateway.url), fencing_token=7)
        await client.ask(Call.PUT, traced, at(gateway.url + "/"), fencing_token=8)

    first, second = received(gateway.log)
    assert (first.fencing_token, first.traceparent) == (7, None)
    assert (second.fencing_token, second.traceparent) == (8, TRACEPARENT)
    assert first.body_sha256 == second.body_sha256


async def test_where_nothing_is_sent_the_reason_says_what_is_wrong_with_the_gateway() -> None:
    elsewhere = replace(at("http://127.0.0.1:8081", credential="secret"), gateway_id="gw-2")
    async with new_client(timeout_seconds=2) as client:
        private = await client.ask(Call.PUT, ORDER, at("http://10.0.0.1:8080"), fencing_token=1)
        strange = await client.ask(Call.PUT, ORDER, elsewhere, fencing_token=1)

    assert isinstance(private, NoAnswer)
    assert private.reason.startswith("the gateway's URL cannot be used: it leads to an address that is not allowed")
    assert isinstance(strange, NoAnswer)
    assert "does not belong" in strange.reason
    assert (private.sent, strange.sent) == (False, False)


async def test_a_trace_that_is_none_is_left_out(tmp_path: Path) -> None:
    garbled = replace(ORDER, traceparent="00-\r\nX-Injected: 1")
    async with reference_gateway(tmp_path) as gateway, new_client(timeout_seconds=2) as client:
        answer = await client.ask(Call.PUT, garbled, at(gateway.url), fencing_token=1)

    assert isinstance(answer, Answer)
    assert answer.status == 201


async def test_a_redirect_is_not_followed_and_the_credential_stays(tmp_path: Path) -> None:
    async with reference_gateway(tmp_path, gateway_id="gw-elsewhere") as elsewhere:
        redirect = {"do": {"fault": "redirect", "location": f"{elsewhere.url}/deployments/{ORDER.key}"}}
        async with (
            reference_gateway(tmp_path, redirect, credential="secret") as gateway,
            new_client(timeout_seconds=2) as client,
        ):
            answer = await client.ask(Call.PUT, ORDER, at(gateway.url, credential="secret"), fencing_token=1)

    assert isinstance(answer, Answer)
    assert answer.status == 307
    assert received(elsewhere.log) == []


async def test_the_second_copy_of_an_answer_is_not_taken_for_the_answer_to_the_next_call(tmp_path: Path) -> None:
    twice = {"match": {"method": "PUT"}, "do": {"fault": "duplicate_answer"}}
    async with reference_gateway(tmp_path, twice) as gateway, new_client(timeout_seconds=2) as client:
        await client.ask(Call.PUT, ORDER, at(gateway.url), fencing_token=1)
        fence = await client.ask(Call.FENCE, ORDER, at(gateway.url), fencing_token=1)

    assert isinstance(fence, Answer)
    assert fence.status == 204


@pytest.mark.parametrize(("call", "status"), [(Call.FENCE, 204), (Call.PUT, 422)])
async def test_a_late_copy_of_an_answer_that_names_no_key_is_not_taken_for_another_keys(
    call: Call, status: int
) -> None:
    other = replace(ORDER, promotion_id=uuid4())
    async with repeating_server(status) as url, new_client(timeout_seconds=2) as client:
        await client.ask(call, ORDER, at(url), fencing_token=1)
        await asyncio.sleep(0.05)
        answer = await client.ask(call, other, at(url), fencing_token=1)

    assert isinstance(answer, Answer)
    assert answer.status == 503


@asynccontextmanager
async def repeating_server(status: int) -> AsyncIterator[str]:
    """Answers its first request with ``status``, a little later once more; every other request with 503."""
    answers = iter([status])

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next((line[15:] for line in head.splitlines() if line.startswith("content-length:")), "0")
                await reader.readexactly(int(length))
                given = next(answers, 503)
                for _ in range(1 if given == 503 else 2):
                    ending = b"\r\n" if given == 204 else b"Content-Length: 0\r\n\r\n"
                    writer.write(f"HTTP/1.1 {given} X\r\n".encode() + ending)
                    await writer.drain()
                    await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.mark.parametrize(
    "head", ["HTTP/1.1 401 X\r\nContent-Type: {}\r\n", "HTTP/1.1 200 X\r\n{}\x00: {}\r\n", "{}\r\n"]
)
async def test_what_a_gateway_says_of_the_credential_that_it_was_shown_goes_no_further(head: str) -> None:
    async with echoing_server(head) as url, new_client(timeout_seconds=2) as client:
        answer = await client.ask(Call.PUT, ORDER, at(url, credential="canary-secret"), fencing_token=1)

    assert "canary-secret" not in str(read_reply(Call.PUT, ORDER, answer, now=START))


@asynccontextmanager
async def echoing_server(head: str) -> AsyncIterator[str]:
    """Answers with ``head``, in whose braces it says which credential it was shown, and with the same in a body."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            shown = next(line.split(" ")[-1] for line in request.split("\r\n") if line.startswith("Authorization:"))
            body = json.dumps({"code": shown, "detail": f"{shown} is not the one"})
            writer.write(f"{head.replace('{}', shown)}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with new_client(timeout_seconds=2) as client:
        answers = [
            await client.ask(Call.PUT, ORDER, at(url), fencing_token=1)
            for url in ("http://127.0.0.1:1", "http://", "no url", "http://host.invalid", None)
        ]

    assert [(type(answer), getattr(answer, "sent", None)) for answer in answers] == [(NoAnswer, False)] * 5


async def test_a_lost_connection_is_not_tried_again_by_itself(tmp_path: Path) -> None:
    reset = {"match": {"method": "PUT"}, "do": {"fault": "reset"}}
    async with reference_gateway(tmp_path, reset) as gateway, new_client(timeout_seconds=2) as client:
        answer = await client.ask(Call.PUT, ORDER, at(gateway.url), fencing_token=1)

    assert isinstance(answer, NoAnswer)
    assert answer.sent
    assert len(received(gateway.log)) == 1


async def test_a_huge_answer_is_cut_off(tmp_path: Path) -> None:
    huge = {"match": {"method": "PUT"}, "do": {"fault": "huge_body", "size_bytes": 3_000_000}}
    async with reference_gateway(tmp_path, huge) as gateway, new_client(timeout_seconds=5) as client:
        answer = await client.ask(Call.PUT, ORDER, at(gateway.url), fencing_token=1)

    assert isinstance(answer, NoAnswer)
    assert "bytes" in answer.reason
