"""The guard on outward connections: a gateway's name is looked up once, every address it leads to is checked, and the
connection goes to one of those. What is refused is never connected to.
"""

import socket
from collections.abc import Sequence
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.platform.outward import Network, refusal


class AddressRefused(OSError):
    """A gateway's name leads to an address to which nothing is sent; the message does not tell which."""


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
