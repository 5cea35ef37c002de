"""Loopback ports: is the wanted one free, and if none is wanted, which one is."""

import socket

from studio.local.trouble import StartError

LOOPBACK = "127.0.0.1"


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
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted or 0))
        except PermissionError:
            raise StartError(f"Port {wanted}, wanted for {server}, needs privileges. Choose one above 1023.") from None
        except (OSError, OverflowError):
            raise PortTakenError(wanted or 0, server) from None
        port: int = probe.getsockname()[1]
        return port
