"""Where the system may connect to on somebody else's word: which addresses, ports and hosts a gateway or a webhook may
have.

Pure: it looks nothing up. Whoever connects checks the very addresses that it connects to.
"""

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

# The settings that allow more than the public network, each for what it is named after.
GATEWAY_NETWORKS = "PROMOTION_GATEWAY_ALLOWED_NETWORKS"
WEBHOOK_NETWORKS = "PROMOTION_WEBHOOK_ALLOWED_NETWORKS"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Other protocols' servers, which must not be made to read what we write.
_REFUSED_PORTS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
     111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 526, 530, 531,
     532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375,
     2379, 2380, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 5433, 5672, 6000, 6379, 6432, 6566, 6665, 6666, 6667, 6668,
     6669, 6679, 6697, 9042, 9092, 9093, 9094, 10080, 10250, 11211, 27017}
)  # fmt: skip
# Ranges that are not for hosts of the public network, by name. What Python calls global is not enough: it lets NAT64,
# relays and clouds' own addresses pass.
_SPECIAL: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this host"), ("10.0.0.0/8", "private"), ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"), ("169.254.0.0/16", "link-local"), ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"), ("192.0.2.0/24", "documentation"), ("192.31.196.0/24", "reserved"),
    ("192.52.193.0/24", "reserved"), ("192.88.99.0/24", "a 6to4 relay"), ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"), ("198.18.0.0/15", "benchmarking"), ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"), ("224.0.0.0/4", "multicast"), ("240.0.0.0/4", "reserved"),
    ("168.63.129.16/32", "a cloud's own"),
    ("::/128", "this host"), ("::1/128", "loopback"), ("::/96", "an IPv4 address in disguise"),
    ("64:ff9b:1::/48", "local NAT64"), ("100::/64", "reserved"), ("2001::/32", "Teredo"), ("2001::/23", "reserved"),
    ("2001:db8::/32", "documentation"), ("2002::/16", "6to4"), ("3fff::/20", "documentation"),
    ("5f00::/16", "reserved"), ("fc00::/7", "private"), ("fe80::/10", "link-local"), ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)  # fmt: skip
_SPECIAL_NETWORKS = tuple((ipaddress.ip_network(network), name) for network, name in _SPECIAL)
_NAT64 = IPv6Network("64:ff9b::/96")
_PUBLIC_IPV6 = IPv6Network("2000::/3")
# The interface identifiers that hold an IPv4 address (ISATAP), universal and local.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


class Forbidden(ValueError):
    """A place to which nothing is sent; the message says why."""


def read_networks(text: str, *, setting: str = GATEWAY_NETWORKS) -> tuple[Network, ...]:
    """Read networks in CIDR, separated by commas, as ``setting`` holds them; raises ValueError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        raise ValueError(f"{setting}: {error}; write for example 10.2.0.0/16") from None


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Say why nothing is sent to ``address``, or None where it is public or in one of ``allowed``."""
    embedded = _embedded(address)
    if any(one in network for one in (address, embedded) if one is not None for network in allowed):
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "it has a scope"
    return _kind(address if embedded is None else embedded)


def _embedded(address: Address) -> IPv4Address | None:
    """Give the IPv4 address that a packet for ``address`` ends at, where its form says so."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _kind(address: Address) -> str | None:
    for network, name in _SPECIAL_NETWORKS:
        if address in network:
            return f"it is {name}"
    if isinstance(address, IPv6Address):
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            return "it is ISATAP"
        if address not in _PUBLIC_IPV6:
            return "it is not public"
    return None if address.is_global else "it is not public"


def check_url(url: str, allowed: Sequence[Network] = (), *, setting: str = GATEWAY_NETWORKS) -> None:
    """Refuse a URL that names an address or port to which nothing is sent; raises Forbidden.

    A name is not looked up: where it leads is checked by whoever connects. ``allowed`` was read from ``setting``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Forbidden(f"is not a URL: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise Forbidden("is not an http or https URL with a host")
    if "@" in parts.netloc:
        raise Forbidden("holds a user name or password")
    if ("[" in parts.netloc) is not (":" in host):
        raise Forbidden(f"has a host that is not an IPv6 address: {host[:60]!r}")
    if (_DEFAULT_PORTS[parts.scheme] if port is None else port) in _REFUSED_PORTS or port == 0:
        raise Forbidden(f"has port {port}, to which nothing is sent")
    address = host_address(host)
    why = None if address is None else refusal(address, allowed)
    if why is not None:
        raise Forbidden(f"leads to an address that is not allowed: {why}; {setting} allows it")


def reached_safely(url: str) -> bool:
    """Tell whether ``url``, which an operator chose, is reached over TLS or leads to this machine itself."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"})


def host_address(host: str) -> Address | None:
    """Give the address that ``host`` is written as, None where it is a name; raises Forbidden for what is neither."""
    if ":" in host:
        try:
            return IPv6Address(host)
        except ValueError:
            raise Forbidden(f"has a host that is not an IPv6 address: {host[:60]!r}") from None
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # 127.1, 0x7f000001 and 2130706433 are addresses to some and names to others.
        try:
            return IPv4Address(host)
        except ValueError:
            raise Forbidden(f"has an address that is not written as four decimal numbers: {host[:60]!r}") from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Forbidden(f"has a host that is not a name: {host[:60]!r}; write one of other letters as xn--")
    local = labels[-1].lower() == "localhost"
    return IPv4Address("127.0.0.1") if local else None
