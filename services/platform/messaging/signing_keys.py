"""What API keys sign with, at rest: sealed with AES-256-GCM under a key that the pepper gives."""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.platform.messaging.signatures import signing_key

_NONCE_BYTES = 12


def seal_signing_key(api_key: str, pepper: str) -> bytes:
    """Give what is stored of an API key's signing key, so that the database alone signs nothing."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_sealing_key(pepper)).encrypt(nonce, signing_key(api_key), None)


def open_signing_key(sealed: bytes, pepper: str) -> bytes | None:
    """Give the signing key that is stored, or None where it was sealed under another pepper."""
    try:
        return AESGCM(_sealing_key(pepper)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        return None


def _sealing_key(pepper: str) -> bytes:
    return hmac.new(pepper.encode(), b"promotion signing keys at rest v1", hashlib.sha256).digest()
