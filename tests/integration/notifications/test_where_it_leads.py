"""A webhook leads nowhere but to its own address, and of what it answers little is kept."""

import asyncio

import pytest
from aiohttp import web

from studio.local.ports import claim_port
from tests.integration.notifications.conftest import NewDesk
from tests.integration.notifications.desk import Desk
from tests.integration.notifications.receivers import Receiver


async def test_a_redirect_is_not_followed(desk: Desk, receiver: Receiver, other: Receiver) -> None:
    async def elsewhere(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(other.url)

    await desk.register(receiver.url)
    receiver.respond = elsewhere
    await desk.happen()

    await desk.work()

    (delivery,) = await desk.deliveries()
    assert (delivery.last_status, other.calls) == (307, [])
    assert "redirects are not followed" in delivery.last_error


@pytest.mark.parametrize("url", ["{address}", "http://localhost:{port}/hook"])
async def test_nothing_reaches_an_address_that_is_not_allowed(new_desk: NewDesk, receiver: Receiver, url: str) -> None:
    desk = new_desk(allowed=())
    port = receiver.url.rsplit(":", 1)[1].partition("/")[0]
    await desk.register(url.format(address=receiver.url, port=port))
    await desk.happen()

    await desk.work()

    (delivery,) = await desk.deliveries()
    assert receiver.calls == []
    assert "not allowed" in delivery.last_error


async def test_a_proxy_of_the_environment_is_not_used(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    await desk.register(receiver.url)
    await desk.happen()

    await desk.work()

    assert len(receiver.calls) == 1


async def test_of_an_answer_only_its_beginning_is_kept_without_secrets(desk: Desk, receiver: Receiver) -> None:
    async def verbose(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, body=b"bad\x00 Bearer hunter2hunter2 " + "é".encode() * 30_000)

    await desk.register(receiver.url)
    receiver.respond = verbose
    await desk.happen()

    await desk.work()

    (delivery,) = await desk.deliveries()
    assert delivery.last_answer.startswith("bad\ufffd Bearer [redacted] ééé")
    assert len(delivery.last_answer) == 500


async def test_an_endless_answer_is_not_read_to_its_end(desk: Desk, receiver: Receiver) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    await desk.register(receiver.url)
    receiver.respond = endless
    await desk.happen()

    await desk.work()

    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.last_status) == ("delivered", 200)
    assert "more than" in delivery.last_answer


async def test_a_secret_that_was_moved_to_another_webhook_signs_nothing(desk: Desk, receiver: Receiver) -> None:
    first, _ = await desk.register(receiver.url)
    second, _ = await desk.register(receiver.url)
    await desk.rows(f"UPDATE notifications.webhook SET secret = '{first.secret}' WHERE id = '{second.id}' RETURNING id")
    await desk.happen()

    await desk.work()

    assert len(receiver.calls) == 1
    errors = {delivery.webhook_id: delivery.last_error for delivery in await desk.deliveries()}
    assert "does not belong" in errors[second.id]


async def test_what_is_no_answer_does_not_tell_the_address(desk: Desk) -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"what?\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await desk.register(f"http://127.0.0.1:{port}/services/hunter2hunter2")
    await desk.happen()

    await desk.work()

    server.close()
    (delivery,) = await desk.deliveries()
    assert "not HTTP" in delivery.last_error
    assert "hunter2" not in delivery.last_error


async def test_where_nobody_answers_the_error_does_not_tell_the_address_whole(desk: Desk) -> None:
    port = claim_port(None, server="nobody")
    await desk.register(f"http://127.0.0.1:{port}/services/hunter2hunter2")
    await desk.happen()

    await desk.work()

    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.last_status, delivery.attempts) == ("waiting", None, 1)
    assert str(port) in delivery.last_error
    assert "hunter2" not in delivery.last_error
