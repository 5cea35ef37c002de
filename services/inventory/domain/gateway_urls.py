"""What the URL of a gateway has to look like; where it may lead is for who connects to it."""

from urllib.parse import urlsplit

SCHEMES = ("http", "https")
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_IPV6_CHARACTERS = frozenset("0123456789abcdefABCDEF:.")
_BEYOND_URL = frozenset(' "<>\\^`{|}')


class WrongUrl(ValueError):
    """The text is not a URL under which a gateway may be registered; the message says why."""


def gateway_url(text: str) -> str:
    """Give ``text`` without a slash at its end; raises WrongUrl."""
    if any(not "!" <= character <= "~" or character in _BEYOND_URL for character in text):
        raise WrongUrl("has characters that a URL cannot have; encode them, and write a host of other letters as xn--")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise WrongUrl(f"is not a URL: {error}") from None
    if parts.scheme not in SCHEMES:
        raise WrongUrl(f"begins with {parts.scheme or 'no scheme'!r}; it has to begin with http:// or https://")
    if "@" in parts.netloc:
        raise WrongUrl("holds a user name or password; give the credential in its own field")
    if "?" in text or "#" in text:
        raise WrongUrl("has a query or a fragment; give the address alone")
    if not _is_host(parts.hostname) or port == 0:
        raise WrongUrl("names no host that one could reach; write http://host:port")
    return text.rstrip("/")


def _is_host(host: str | None) -> bool:
    if not host:
        return False
    if ":" in host:
        return set(host) <= _IPV6_CHARACTERS
    return set(host) <= _HOST_CHARACTERS and len(host) <= 253 and not host.startswith((".", "-"))
