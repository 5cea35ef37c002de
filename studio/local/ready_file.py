"""The ready file: one JSON object that tells programs where a local stack is and how to speak to it.

It holds keys, so it is readable by its owner alone; it is there only while the stack is ready, whole or not at all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.local.private_files import write_private


@dataclass(frozen=True)
class ReadyGateway:
    """A gateway, with the file in which it records what it hosts."""

    id: str
    environment: str
    url: str
    log: str


@dataclass(frozen=True)
class Ready:
    """What the file says: addresses, process ids by name, the clients' environment, one key for each identity."""

    api: str
    kafka: str
    postgres: str
    gateways: Sequence[ReadyGateway]
    processes: Mapping[str, int]
    environment: Mapping[str, str]
    tokens: Mapping[str, str]

    def write(self, path: Path) -> None:
        """Put it into `path` in one step."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")
