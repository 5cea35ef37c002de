"""Signatures as the Standard Webhooks specification has them: HMAC-SHA256 over id, time and body, by each secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
NEW_SECRET_BYTES = 32
# The specification's bounds.
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64


class WrongSecret(ValueError):
    """The text is no secret to sign with; the message says what one looks like and does not repeat it."""


def write_secret(raw: bytes) -> str:
    """Write a secret as people copy it."""
    return PREFIX + base64.b64encode(raw).decode()


def read_secret(text: str) -> bytes:
    """Read a secret; raises WrongSecret."""
    encoded = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if encoded == text or not MIN_SECRET_BYTES <= len(raw) <= MAX_SECRET_BYTES:
        raise WrongSecret(f"is not {PREFIX} and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in base64")
    return raw


def headers(event_id: str, body: str, secrets: Sequence[bytes], *, now: datetime) -> dict[str, str]:
    """Give the headers by which a receiver knows who sent ``body``, when, and whether it has had it before."""
    seconds = str(int(now.timestamp()))
    signed = f"{event_id}.{seconds}.{body}".encode()
    signatures = [base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
