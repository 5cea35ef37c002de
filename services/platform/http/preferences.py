"""What a caller prefers (RFC 7240): how long it would wait for an outcome."""

import re

MAX_WAIT_SECONDS = 60
_WAIT = re.compile(r"(?:^|[,;\s])wait=\"?([0-9]{1,4})\"?(?=$|[,;\s])", re.IGNORECASE | re.ASCII)


def preferred_wait_seconds(prefer: str | None) -> float:
    """Read ``wait`` from a Prefer header, at most MAX_WAIT_SECONDS; 0 where there is none that can be read."""
    found = _WAIT.search(prefer or "")
    return float(min(int(found[1]), MAX_WAIT_SECONDS)) if found else 0.0
