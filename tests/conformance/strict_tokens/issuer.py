"""An issuer with keys of its own, that signs whatever it is asked to, honest or not."""

import base64
import hashlib
import hmac
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://issuer.example/realms/one"
AUDIENCE = "promotion"
# The instant at which the set is judged, in seconds.
NOW = 1_900_000_000

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """Give an RSA key, the same one for the same ``number``."""
    return _rsa_key(bits, number)


@cache
def _rsa_key(bits: int, number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def ec_key(curve: str = "P-256") -> ec.EllipticCurvePrivateKey:
    """Give a key on ``curve``, always the same one."""
    return _ec_key(curve)


@cache
def _ec_key(curve: str) -> ec.EllipticCurvePrivateKey:
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}
    return ec.generate_private_key(curves[curve])


def jwk(key: PrivateKey, kid: str | None, **members: Any) -> dict[str, Any]:
    """Write the public half of ``key`` as a JWK."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        document = {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}
    else:
        points = public.public_numbers()
        size = (public.curve.key_size + 7) // 8
        names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
        document = {
            "kty": "EC", "crv": names[public.curve.name], "x": _integer(points.x, size), "y": _integer(points.y, size),
        }  # fmt: skip
    return document | ({} if kid is None else {"kid": kid}) | members


def claims(**changes: Any) -> dict[str, Any]:
    """Give what an honest token says, with ``changes``; None takes a claim away."""
    honest = {
        "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "nbf": NOW - 5, "iat": NOW - 5, "sub": "alice",
        "organization_id": "acme", "roles": ["approver:production", "viewer"],
    }  # fmt: skip
    return {name: value for name, value in (honest | changes).items() if value is not None}


def token(
    body: dict[str, Any] | bytes | None = None,
    *,
    key: PrivateKey | bytes | None = None,
    header: dict[str, Any] | bytes | None = None,
    alg: str = "RS256",
    sign_as: str | None = None,
) -> str:
    """Sign ``body`` under ``alg``; ``sign_as`` makes a signature of another algorithm than the header names."""
    if not isinstance(header, bytes):
        header = json.dumps({"alg": alg, "kid": "rsa", "typ": "JWT"} | (header or {})).encode()
    if not isinstance(body, bytes):
        body = json.dumps(claims() if body is None else body).encode()
    signed = f"{b64(header)}.{b64(body)}"
    return f"{signed}.{b64(sign(signed.encode(), rsa_key() if key is None else key, sign_as or alg))}"


def sign(message: bytes, key: PrivateKey | bytes, alg: str) -> bytes:
    """Sign ``message``."""
    if alg == "none":
        return b""
    digest = _HASHES.get(alg[-3:], hashes.SHA256())
    if isinstance(key, bytes):
        return hmac.new(key, message, hashlib.sha256).digest()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if alg.startswith("PS"):
        return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    return key.sign(message, padding.PKCS1v15(), digest)


def public_pem(key: PrivateKey) -> bytes:
    """Give the public half as PEM, which an attacker knows."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def b64(raw: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _integer(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
