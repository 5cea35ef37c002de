"""Claimed ports: nobody's, and none that the system may give to an outgoing connection meanwhile."""

import socket

import pytest

from studio.local.ports import LOOPBACK, PortTakenError, claim_port


def test_a_claimed_port_lies_below_those_of_outgoing_connections() -> None:
    claimed = [claim_port(None, server="a test") for _ in range(50)]

    assert all(1024 <= port < 32_768 for port in claimed)
    assert len(set(claimed)) > 40


def test_a_port_that_somebody_listens_on_is_not_claimed() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"Port {port} "):
            claim_port(port, server="a test")
