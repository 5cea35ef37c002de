"""Loopback ports: is the wanted one free, and if none is wanted, which one is."""

import random
import socket

from studio.local.trouble import StartError

LOOPBACK = "127.0.0.1"
# Below those that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): one of these might take
# the port between the claim and its use, or while the server is started again.
_OURS = range(10_240, 32_768)
_ATTEMPTS = 64


class PortTakenError(StartError):
    """Somebody else already listens on the wanted port."""

    def __init__(self, port: int, server: str) -> None:
        super().__init__(
            f"Port {port} on {LOOPBACK}, wanted for {server}, is taken by another process. "
            f"Stop that process or choose another port."
        )
        self.port = port


def claim_port(wanted: int | None, *, server: str) -> int:
    """Return `wanted` if it is free now, or any free port for None; else raise PortTakenError."""
    if wanted is not None:
        return _claim(wanted, server)
    for candidate in random.sample(_OURS, _ATTEMPTS):
        try:
            return _claim(candidate, server)
        except PortTakenError:
            continue
    raise StartError(f"{_ATTEMPTS} ports on {LOOPBACK}, tried for {server}, are all taken. Stop some other process.")


def _claim(port: int, server: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            raise StartError(f"Port {port}, wanted for {server}, needs privileges. Choose one above 1023.") from None
        except (OSError, OverflowError):
            raise PortTakenError(port, server) from None
        return port
