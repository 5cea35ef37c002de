"""The reference gateway: a runtime that hosts agents by the documented contract, for local use and tests.

It keeps what it answered in a log that can be checked afterwards, and misbehaves only where a script says so.
"""

from studio.gateway.faults import Script
from studio.gateway.records import folded_state, read_log
from studio.gateway.run import run_gateway
from studio.gateway.server import ReferenceGateway

__all__ = ["ReferenceGateway", "Script", "folded_state", "read_log", "run_gateway"]
