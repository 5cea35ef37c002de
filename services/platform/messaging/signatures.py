"""Signatures of Kafka records, for ``KAFKA_TRUST=signed``: an HMAC over topic, key, ``ce_*`` headers and value.

Pure. Whoever has an API key can sign; our own services sign under a key that they derive from the pepper.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace

from schemas.cloudevents import EncodedRecord, Headers
from schemas.topics import EVENT_TOPICS

KEY_HEADER = "promotion-key"
SIGNATURE_HEADER = "promotion-signature"
# The key id under which our own services sign.
SERVICE = "service"
# Whoever verifies remembers the ids that it met, known or not.
MAX_KEY_ID_BYTES = 64
_FORMAT = b"promotion record v1"
_VERBATIM = ("promotion-verbatim", None)

Sign = Callable[[EncodedRecord], EncodedRecord]


@dataclass(frozen=True, slots=True)
class Signature:
    """Under which key a record says that it is signed, and how."""

    key_id: str
    code: bytes


def signing_key(api_key: str) -> bytes:
    """Derive what an API key signs with; it opens nothing."""
    return hmac.new(api_key.encode(), b"promotion signing v1", hashlib.sha256).digest()


def service_key(pepper: str) -> bytes:
    """Derive what our own services sign with."""
    return hmac.new(pepper.encode(), b"promotion services' signing v1", hashlib.sha256).digest()


def sign_as_publisher(record: EncodedRecord, api_key: str) -> EncodedRecord:
    """Sign ``record`` with an API key, for those who publish to Kafka themselves."""
    return _signed(record, key_id=api_key.split("_", 2)[1], key=signing_key(api_key))


def signer_of_services(pepper: str) -> Sign:
    """Give what signs our own records; a dead letter stays as it was found."""
    key = service_key(pepper)
    return lambda record: _signed(record, key_id=SERVICE, key=key) if record.topic in EVENT_TOPICS else record


def verbatim(record: EncodedRecord) -> EncodedRecord:
    """Mark a record of an outbox that has to go out as it is, under whoever signed it: never as our own words."""
    return replace(record, headers=(_VERBATIM, *record.headers))


def outgoing(record: EncodedRecord, sign: Sign | None) -> EncodedRecord:
    """Give what is published of a record of an outbox: signed where records are, or as it was and without its mark."""
    if record.headers[:1] == (_VERBATIM,):
        return replace(record, headers=record.headers[1:])
    return record if sign is None else sign(record)


def signature_of(headers: Headers) -> Signature | None:
    """Find a record's signature; None where there is none, more than one, or one that cannot be read."""
    named = [(name.lower(), raw) for name, raw in headers if name.lower() in {KEY_HEADER, SIGNATURE_HEADER}]
    given = dict(named)
    key_id, code = given.get(KEY_HEADER), given.get(SIGNATURE_HEADER)
    if len(named) != 2 or key_id is None or code is None or len(key_id) > MAX_KEY_ID_BYTES:
        return None
    try:
        return Signature(key_id.decode("ascii"), base64.b64decode(code, altchars=b"-_", validate=True))
    except ValueError:
        return None


def is_signed_by(record: EncodedRecord, signature: Signature, key: bytes) -> bool:
    """Tell whether ``signature`` is that of ``record`` under ``key``."""
    return hmac.compare_digest(_code(record, signature.key_id, key), signature.code)


def _signed(record: EncodedRecord, *, key_id: str, key: bytes) -> EncodedRecord:
    kept = tuple(item for item in record.headers if item[0].lower() not in {KEY_HEADER, SIGNATURE_HEADER})
    unsigned = replace(record, headers=kept)
    code = base64.urlsafe_b64encode(_code(unsigned, key_id, key))
    return replace(record, headers=(*kept, (KEY_HEADER, key_id.encode()), (SIGNATURE_HEADER, code)))


def _code(record: EncodedRecord, key_id: str, key: bytes) -> bytes:
    signed = hmac.new(key, _FORMAT, hashlib.sha256)
    parts: list[bytes | None] = [key_id.encode(), record.topic.encode(), record.key, record.value]
    for name, raw in record.headers:
        if name.lower().startswith("ce_") or name.lower() == "content-type":
            parts += [name.lower().encode(), raw]
    for part in parts:
        # Lengths first, so that no two records are one text; null differs from empty.
        signed.update(b"-" if part is None else b"%d:" % len(part))
        signed.update(part or b"")
    return signed.digest()
