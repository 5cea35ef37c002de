"""Credentials of others at rest: sealed with AES-256-GCM under a key of the deployment's, opened where they are used.

What is sealed says where it belongs: moved to another organization, gateway, address or webhook, it does not open.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.platform.credential_keys import read_keys
from services.platform.settings import Settings

NONCE_BYTES = 12
FORMAT = "v1"


class NoKeys(Exception):
    """The deployment has no key under which a credential could be sealed."""


class NotOpened(Exception):
    """What is stored is not a credential for this place under a known key."""


class Bound(Protocol):
    """Where something that is sealed belongs."""

    def binding(self) -> bytes:
        """Give bytes that no other place has."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway's credential belongs; of the URL its scheme, host and port count."""

    organization_id: str
    gateway_id: str
    url: str

    def binding(self) -> bytes:
        """Give the bytes that a sealed credential is bound to."""
        return "\n".join((FORMAT, self.organization_id, self.gateway_id, origin(self.url))).encode()


def origin(url: str) -> str:
    """Give scheme, host and port of ``url``, each in its one form."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.').lower()}:{port}"


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals with the first key, opens with any; ``keys`` are by their name, in order."""

    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def seal(self, credential: str, place: Bound) -> str:
        """Give ``credential`` as it is stored; raises NoKeys."""
        if not self.keys:
            raise NoKeys("no key for credentials is configured; set PROMOTION_CREDENTIAL_KEYS")
        name, key = next(iter(self.keys.items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, credential.encode(), place.binding())
        return f"{FORMAT}.{name}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, stored: str, place: Bound) -> str:
        """Give the credential that ``stored`` holds for ``place``; raises NotOpened."""
        version, _, rest = stored.partition(".")
        name, _, encoded = rest.partition(".")
        key = self.keys.get(name)
        if version != FORMAT or key is None:
            raise NotOpened("the credential was sealed under a key that is not configured; give it again")
        try:
            sealed = base64.urlsafe_b64decode(encoded)
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.binding()).decode()
        except (InvalidTag, ValueError):
            raise NotOpened("the credential does not belong to this place; give it again") from None


def vault_of(settings: Settings) -> Vault:
    """Give what seals and opens gateways' credentials and webhooks' secrets."""
    keys = settings.credential_keys
    return Vault({} if keys is None else read_keys(keys.get_secret_value()))
