"""How long a connection is waited for, by a clock that the test moves."""

import asyncio
from typing import cast

import pytest

from studio.gateway.connection import ARRIVAL_SECONDS, IDLE_SECONDS, MAX_PIPELINED, Connection
from studio.gateway.messages import Answer, Request

REQUEST = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


class FakeTransport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.paused = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def connect(answer: Answer | None = None) -> tuple[Connection, FakeTransport]:
    async def answerer(_: Request) -> Answer:
        return answer or await asyncio.get_running_loop().create_future()

    transport = FakeTransport()
    connection = Connection(answerer, on_open=lambda _: None, on_close=lambda _: None)
    connection.connection_made(cast(asyncio.Transport, transport))
    return connection, transport


async def let_everybody_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def after(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize(
    "sent", [b"GET /heal", REQUEST[:-2], b"PUT /deployments/k HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"]
)
async def test_a_request_that_does_not_arrive_whole_in_time_gets_408(sent: bytes) -> None:
    connection, transport = connect()
    connection.data_received(sent)

    connection.check_patience(after(ARRIVAL_SECONDS - 1))
    await let_everybody_run()
    patient = transport.closed
    connection.check_patience(after(ARRIVAL_SECONDS + 1))
    await let_everybody_run()

    assert not patient
    assert transport.closed
    assert transport.written.startswith(b"HTTP/1.1 408 ")


async def test_a_byte_now_and_then_does_not_buy_more_time() -> None:
    connection, transport = connect()
    connection.data_received(b"GET /heal")
    connection.data_received(b"thz")

    connection.check_patience(after(ARRIVAL_SECONDS + 1))
    await let_everybody_run()

    assert transport.written.startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    connection, transport = connect(Answer(status=204))
    connection.data_received(REQUEST)
    await let_everybody_run()
    answered = transport.written

    connection.check_patience(after(IDLE_SECONDS - 1))
    patient = transport.closed
    connection.check_patience(after(IDLE_SECONDS + 1))

    assert not patient
    assert transport.closed
    assert transport.written == answered == b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_a_request_that_is_being_answered_is_waited_for() -> None:
    connection, transport = connect()
    connection.data_received(REQUEST)
    await let_everybody_run()

    connection.check_patience(after(1000))

    assert not transport.closed


async def test_finishing_closes_an_idle_connection_at_once_and_a_busy_one_after_its_answer() -> None:
    idle, idle_transport = connect(Answer(status=204))
    busy, busy_transport = connect(Answer(status=204))
    busy.data_received(REQUEST + REQUEST)

    idle.finish()
    busy.finish()
    at_once = (idle_transport.closed, busy_transport.closed)
    await let_everybody_run()

    assert at_once == (True, False)
    assert busy_transport.closed
    assert busy_transport.written.count(b"HTTP/1.1 204") == 2
    assert busy_transport.written.endswith(b"connection: close\r\n\r\n")


async def test_a_bug_is_answered_500_without_its_traceback_and_the_next_request_is_served() -> None:
    async def broken(request: Request) -> Answer:
        if request.path == "/healthz":
            raise RuntimeError("the secret cause")
        return Answer(status=204)

    transport = FakeTransport()
    connection = Connection(broken, on_open=lambda _: None, on_close=lambda _: None)
    connection.connection_made(cast(asyncio.Transport, transport))
    connection.data_received(REQUEST + REQUEST.replace(b"healthz", b"other"))
    await let_everybody_run()

    assert transport.written.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in transport.written
    assert transport.written.endswith(b"HTTP/1.1 204 No Content\r\n\r\n")


async def test_a_client_that_asks_faster_than_it_is_answered_is_not_read_until_it_is() -> None:
    doors = asyncio.Semaphore(0)

    async def answerer(_: Request) -> Answer:
        await doors.acquire()
        return Answer(status=204)

    transport = FakeTransport()
    connection = Connection(answerer, on_open=lambda _: None, on_close=lambda _: None)
    connection.connection_made(cast(asyncio.Transport, transport))

    connection.data_received(REQUEST * (MAX_PIPELINED + 5))
    await let_everybody_run()
    paused_under_load = transport.paused
    for _ in range(5):
        doors.release()
        await let_everybody_run()

    assert paused_under_load
    assert not transport.paused
