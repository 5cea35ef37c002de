"""What a caller prefers (RFC 7240): how long it would wait for an outcome."""

import re

MAX_WAIT_SECONDS = 60
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?=$|[,;\s])", re.IGNORECASE | re.ASCII)


def wait_seconds(prefer: str | None) -> int:
    """Read ``Prefer: wait=N``, at most MAX_WAIT_SECONDS; nothing, and what cannot be read, is no wait."""
    found = _WAIT.search(prefer or "")
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else 0
