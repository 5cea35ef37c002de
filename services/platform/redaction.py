"""What never stands in a log line: credentials, keys, tokens, and the passwords in URLs.

A last net. Whoever logs names fields that hold no secret in the first place.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN = "[redacted]"
_MAX_DEPTH = 6
_SECRET_NAMES = re.compile(
    r"(^|[_-])(authorization|cookie|credentials?|password|passwd|pepper|private[_-]?key|secrets?|token|api[_-]?key|"
    r"signing[_-]?key|signature)$",
    re.IGNORECASE,
)
_SECRETS = re.compile(
    r"(?P<key>\bpk_[0-9a-f]{4,32}_)[A-Za-z0-9_-]{16,}"
    r"|(?P<hook>\bwhsec_)[A-Za-z0-9+/_-]{8,}={0,2}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,200}:)[^\s/@]{1,500}(?=@)",
    re.IGNORECASE,
)


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what is secret in a log line; a processor of structlog."""
    for name, value in event.items():
        event[name] = redacted(name, value)
    return event


def redacted(name: str, value: Any, depth: int = 0) -> Any:
    """Give ``value`` of the field ``name`` without what is secret."""
    if _SECRET_NAMES.search(name) and value is not None and not isinstance(value, bool):
        return HIDDEN
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, bytes):
        return redacted_text(value.decode("utf-8", "backslashreplace"))
    if depth >= _MAX_DEPTH:
        return redacted_text(repr(value)[:1000])
    if isinstance(value, Mapping):
        return {key: redacted(str(key), item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redacted("", item, depth + 1) for item in value]
    if isinstance(value, BaseException):
        return redacted_text(repr(value))
    return value


def redacted_text(text: str) -> str:
    """Give ``text`` with the secrets in it hidden; of a key its id stays, of a URL its user."""
    return _SECRETS.sub(_hide, text)


def _hide(found: re.Match[str]) -> str:
    kept = found["key"] or found["hook"] or found["scheme"] or found["url"] or ""
    return f"{kept}{HIDDEN}"
