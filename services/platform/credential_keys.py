"""The keys under which credentials of others are sealed, as an operator writes them down."""

import base64
import binascii
import hashlib

KEY_BYTES = 32


def read_keys(text: str) -> dict[str, bytes]:
    """Read keys in base64, separated by commas, each named by its hash; raises ValueError without repeating one."""
    keys = [_key(part.strip(), number) for number, part in enumerate(text.split(","), start=1)]
    return {hashlib.sha256(key).hexdigest()[:8]: key for key in keys}


def _key(encoded: str, number: int) -> bytes:
    try:
        key = base64.b64decode(encoded.replace("-", "+").replace("_", "/") + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"PROMOTION_CREDENTIAL_KEYS: key {number} is not {KEY_BYTES} bytes in base64")
    return key
