"""One client's connection: bytes in, requests out in order, answers back. Knows HTTP/1.1 and no gateway.

Whatever arrives is bounded: headers, body, pipelined requests, and the time that one may take to arrive.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import unquote

import httptools

from studio.gateway import contract
from studio.gateway.journal import LogFailedError
from studio.gateway.messages import Answer, Request, encode, problem

MAX_BODY_BYTES = 64 * 1024
MAX_DISCARDED_BYTES = 8 * 1024 * 1024
MAX_HEAD_BYTES = 32 * 1024
MAX_PIPELINED = 16
ARRIVAL_SECONDS = 30.0
IDLE_SECONDS = 75.0
_LINGER_NONE = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN

log = logging.getLogger(__name__)
Answerer = Callable[[Request], Awaitable[Answer]]


class Connection(asyncio.Protocol):
    """Answers one request at a time; faults decide how an answer is delivered, never what the next one is."""

    def __init__(
        self,
        answerer: Answerer,
        *,
        on_open: Callable[["Connection"], None],
        on_close: Callable[["Connection"], None],
    ) -> None:
        self._answerer = answerer
        self._on_open = on_open
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._requests: asyncio.Queue[Request | Answer] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._busy = self._silent = self._finishing = self._deaf = self._in_message = False
        self._quiet_since = self._loop.time()
        self._forget_message()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here."""
        self._transport = cast(asyncio.Transport, transport)
        self._on_open(self)
        self._conversation = self._loop.create_task(self._converse())

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; what it asked for goes on, the answer to it does not."""
        self._on_close(self)
        self._conversation.cancel()

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._deaf:
            return
        self._quiet_since = self._loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(problem(contract.MALFORMED_REQUEST, f"{error or 'Upgrade is not supported'}."))

    # What the parser tells

    def on_message_begin(self) -> None:
        """A request begins."""
        self._forget_message()
        self._in_message = True

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._count_head(len(name) + len(value))

    def on_body(self, body: bytes) -> None:
        """A part of the body; what is over the limit is thrown away, so that the client can hear why."""
        self._body_bytes += len(body)
        if self._body_bytes <= MAX_BODY_BYTES:
            self._body.append(body)
        elif self._body_bytes > MAX_DISCARDED_BYTES:
            self._refuse(_too_large(self._body_bytes))

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._in_message = False
        if self._deaf:
            return
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse(_too_large(self._body_bytes))
            return
        self._requests.put_nowait(self._request())
        if self._requests.qsize() > MAX_PIPELINED:
            self._transport.pause_reading()

    # What the server tells

    def finish(self) -> None:
        """Answer what has arrived, then close; close at once where nothing is under way."""
        self._finishing = True
        if self._silent or not (self._busy or self._requests.qsize()):
            self._transport.close()

    def abort(self) -> None:
        """Close without another byte."""
        self._transport.abort()

    def check_patience(self, now: float) -> None:
        """Close where a request takes too long to arrive, or where none has come for long."""
        quiet_seconds = now - self._quiet_since
        if self._busy or self._deaf:
            return
        if self._in_message and now - self._begun_at > ARRIVAL_SECONDS:
            self._refuse(problem(contract.REQUEST_TIMEOUT, f"The request was not whole in {ARRIVAL_SECONDS:.0f} s."))
        elif quiet_seconds > IDLE_SECONDS:
            self._transport.close()

    # Inside

    def _forget_message(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._begun_at = self._loop.time()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES and not self._deaf:
            detail = f"Path and headers are over {MAX_HEAD_BYTES} bytes. Send fewer."
            self._refuse(problem(contract.HEADERS_TOO_LARGE, detail))

    def _refuse(self, answer: Answer) -> None:
        """Answer after the requests before it, then close: what follows cannot be trusted to be a request."""
        self._deaf = True
        self._requests.put_nowait(answer)

    def _request(self) -> Request:
        path, _, query = self._target.decode("latin-1").partition("?")
        return Request(
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            segments=tuple(unquote(segment) for segment in path.split("/")[1:]),
            query=query,
            headers=self._headers,
            body=b"".join(self._body),
            keep_alive=self._parser.should_keep_alive(),
        )

    async def _converse(self) -> None:
        while not self._transport.is_closing():
            arrived = await self._requests.get()
            self._busy = True
            if self._requests.qsize() == MAX_PIPELINED and not self._transport.is_closing():
                self._transport.resume_reading()
            if isinstance(arrived, Answer):
                self._deliver(arrived, keep_alive=False)
                return
            await self._deliver_or_fall_silent(arrived)
            self._busy = False
            self._quiet_since = self._loop.time()
            await self._writable.wait()

    async def _deliver_or_fall_silent(self, request: Request) -> None:
        try:
            answer = await self._answerer(request)
        except LogFailedError:
            self._transport.abort()
            return
        except Exception:  # a bug must not show its traceback to the client, nor end the gateway
            log.exception("request failed")
            answer = problem(contract.INTERNAL_ERROR, "The gateway's own log says what happened.")
        if answer.delivery == "silence":
            self._silent = True
            if self._finishing:
                self._transport.close()
            await self._loop.create_future()
        last = self._finishing and not self._requests.qsize()
        self._deliver(answer, keep_alive=request.keep_alive and not last, with_body=request.method != "HEAD")

    def _deliver(self, answer: Answer, *, keep_alive: bool, with_body: bool = True) -> None:
        data = encode(answer, keep_alive=keep_alive, with_body=with_body)
        match answer.delivery:
            case "reset":
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
                self._transport.abort()
                return
            case "cut":
                self._transport.write(data[: len(data) - (len(answer.body) + 1) // 2])
                self._transport.close()
                return
            case "twice":
                data += data
        self._transport.write(data)
        if not keep_alive:
            self._transport.close()


def _too_large(size: int) -> Answer:
    detail = f"The body has {size} bytes or more, {MAX_BODY_BYTES} are allowed. Send a smaller one."
    return problem(contract.BODY_TOO_LARGE, detail)
