"""Calls to addresses that somebody else chose: a name is looked up once, every address it leads to is checked, and the
connection goes to one of those. What is refused is never connected to; no redirect, proxy, cookie or endless answer.
"""

import socket
from collections.abc import Sequence
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.platform.outward import Network, refusal

# What every call sends along: what comes back is not unpacked here.
PLAIN_ANSWERS = {"Accept-Encoding": "identity"}


class AddressRefused(OSError):
    """A name leads to an address to which nothing is sent; the message does not tell which."""


class WrongAnswer(Exception):
    """An answer came that is not read to its end; the message says why."""


class AddressGuard(AbstractResolver):
    """Looks names up through ``resolver`` and lets none pass of which any address is refused.

    ``open_socket`` checks once more what is about to be connected to, be it written as an address or looked up.
    """

    def __init__(self, allowed: Sequence[Network], *, resolver: AbstractResolver | None = None) -> None:
        self._allowed = tuple(allowed)
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look ``host`` up; raises AddressRefused."""
        self._resolver = self._resolver or ThreadedResolver()
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            self._check(result["host"])
        return found

    def open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Open the socket for one address; raises AddressRefused."""
        family, kind, protocol, _name, where = info
        self._check(str(where[0]))
        opened = socket.socket(family=family, type=kind, proto=protocol)
        opened.setblocking(False)
        return opened

    async def close(self) -> None:
        """Let go of the resolver."""
        if self._resolver is not None:
            await self._resolver.close()

    def _check(self, address: str) -> None:
        why = refusal(ip_address(address), self._allowed)
        if why is not None:
            raise AddressRefused(f"its name leads to an address that is not allowed: {why}")


def open_session(guard: AddressGuard, *, timeout_seconds: float, keep: bool) -> aiohttp.ClientSession:
    """Open a session whose connections pass ``guard``; ``timeout_seconds`` bounds each call whole.

    With ``keep`` connections are used again. Give every request ``allow_redirects=False`` and PLAIN_ANSWERS.
    """
    # How many calls a receiver takes is its caller's to say: a limit here would let one receiver hold back another.
    connector = aiohttp.TCPConnector(limit=0, resolver=guard, socket_factory=guard.open_socket, force_close=not keep)
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=timeout_seconds / 2),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
    # By itself the client sends a PUT again whose connection was lost; callers here decide themselves what is sent
    # twice. There is no public switch for it.
    session._retry_connection = False
    return session


async def read_answer(response: aiohttp.ClientResponse, *, most_bytes: int) -> bytes:
    """Read an answer's body; raises WrongAnswer for one that is compressed or larger than ``most_bytes``."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        response.close()
        raise WrongAnswer("the answer is compressed although none was asked for")
    if response.content_length is not None and response.content_length <= most_bytes:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            response.close()
            raise WrongAnswer(f"the answer has more than {most_bytes} bytes")
    return bytes(body)
