"""Bearer tokens of an OIDC issuer: what a JWT has to be, to the letter, and whom it then stands for.

Pure: the key and the time come in. PyJWT checks the signature and nothing else; no key is ever taken from a token.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from schemas import strict_json
from schemas.text import IDENTIFIER
from schemas.vocabulary import Role
from services.platform.grants import Grants
from services.platform.identity import Principal

# What stands for a key where no key does.
OF_ISSUER = "oidc"
MAX_TOKEN_CHARACTERS = 8192
MAX_KEY_ID_CHARACTERS = 200
MAX_AUDIENCES = 20
MAX_ROLES = 200
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
LEEWAY = timedelta(seconds=30)

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"P-256": "ES256", "P-384": "ES384"}
ALGORITHMS = _RSA | frozenset(_CURVES.values())
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_JWS = PyJWS(algorithms=sorted(ALGORITHMS))


class WrongToken(Exception):
    """A token that stands for nobody; the message says what is wrong with it and repeats nothing secret."""


@dataclass(frozen=True, slots=True)
class TokenHeader:
    """What of a token's header is believed: which key it claims, and for which algorithm."""

    algorithm: str
    key_id: str


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key of the issuer, and the algorithms that it may be used for."""

    id: str
    algorithms: frozenset[str]
    public_key: RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Whose tokens are taken, for whom they have to be meant, and under which claims they say what.

    A claim is named by its name, or by a JSON Pointer where the name begins with a slash.
    """

    issuer: str
    audience: str
    organization_claim: str = "organization_id"
    subject_claim: str = "sub"
    roles_claim: str = "roles"


def read_header(token: str) -> TokenHeader:
    """Read which key ``token`` names, before anything of it is believed; raises WrongToken."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise WrongToken(f"it is longer than {MAX_TOKEN_CHARACTERS} characters")
    segments = token.split(".")
    if len(segments) != 3:
        raise WrongToken("it is not a signed JWT: it does not have three parts")
    header = _document(segments[0], "header")
    _decoded(segments[2], "signature")
    _check_header(header)
    return TokenHeader(header["alg"], header["kid"])


def _check_header(header: Mapping[str, Any]) -> None:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise WrongToken(f"its algorithm is not one of {', '.join(sorted(ALGORITHMS))}")
    if "crit" in header or "b64" in header:
        raise WrongToken("its header has extensions that have to be understood and are not")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise WrongToken("its typ is not JWT or at+jwt")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_CHARACTERS:
        raise WrongToken("its header names no key (kid)")


def read_key(document: Mapping[str, Any]) -> TrustedKey | None:
    """Read one key of the issuer's set; None for one that does not sign tokens that are taken here."""
    key_id, algorithm = document.get("kid"), document.get("alg")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_CHARACTERS:
        return None
    operations = document.get("key_ops", ["verify"])
    if document.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        public_key, algorithms = _public_key(document)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError):
        return None
    if algorithm is not None:
        algorithms &= {algorithm} if isinstance(algorithm, str) else set()
    return TrustedKey(key_id, algorithms, public_key) if algorithms else None


def _public_key(document: Mapping[str, Any]) -> tuple[RSAPublicKey | EllipticCurvePublicKey, frozenset[str]]:
    public_parts = {name: value for name, value in document.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
    kind, curve = document.get("kty"), document.get("crv")
    if kind == "RSA":
        rsa = RSAAlgorithm.from_jwk(public_parts)
        if isinstance(rsa, RSAPublicKey) and MIN_RSA_BITS <= rsa.key_size <= MAX_RSA_BITS:
            return rsa, _RSA
    elif kind == "EC" and isinstance(curve, str) and curve in _CURVES:
        elliptic = ECAlgorithm.from_jwk(public_parts)
        if isinstance(elliptic, EllipticCurvePublicKey):
            return elliptic, frozenset({_CURVES[curve]})
    raise ValueError("not a key that is taken here")


def read_claims(token: str, key: TrustedKey, rules: TokenRules, *, now: datetime) -> Mapping[str, Any]:
    """Give what ``token``, signed by ``key``, says; raises WrongToken."""
    algorithm = read_header(token).algorithm
    if algorithm not in key.algorithms:
        raise WrongToken("its algorithm is not that of the key that it names")
    claims = _document(token.split(".")[1], "claims")
    try:
        _JWS.decode_complete(token, key.public_key, algorithms=[algorithm])
    except PyJWTError:
        raise WrongToken("its signature is wrong") from None
    _check_validity(claims, rules, now)
    return claims


def _check_validity(claims: Mapping[str, Any], rules: TokenRules, now: datetime) -> None:
    if claims.get("iss") != rules.issuer:
        raise WrongToken("it is of another issuer")
    if rules.audience not in _audiences(claims.get("aud")):
        raise WrongToken("it is meant for another audience")
    expiry = _instant(claims, "exp")
    if expiry is None:
        raise WrongToken("it has no expiry (exp)")
    present, leeway = now.timestamp(), LEEWAY.total_seconds()
    if expiry <= present - leeway:
        raise WrongToken("it has expired")
    for name in ("nbf", "iat"):
        beginning = _instant(claims, name)
        if beginning is not None and beginning > present + leeway:
            raise WrongToken(f"it is not valid yet ({name})")


def _audiences(claim: object) -> Sequence[object]:
    if isinstance(claim, str):
        return [claim]
    if not isinstance(claim, list) or len(claim) > MAX_AUDIENCES or not all(isinstance(one, str) for one in claim):
        return []
    return claim


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    seconds = claims[name]
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= 2**53:
        raise WrongToken(f"its {name} is not a number of seconds")
    return float(seconds)


def principal_of(claims: Mapping[str, Any], rules: TokenRules) -> Principal:
    """Give whom the claims of a token stand for; raises WrongToken."""
    if rules.subject_claim in {"email", "/email"} and claims.get("email_verified") is not True:
        raise WrongToken("its e-mail address is not verified")
    grants = Grants.known(_roles(_claim(claims, rules.roles_claim)))
    # A token speaks for the person that it was issued to, in one organization; who may do more is said by a key alone.
    own = Grants(frozenset(grant for grant in grants.held if grant.role not in {Role.DELEGATE, Role.OPERATOR}))
    return Principal(
        organization_id=_identifier(claims, rules.organization_claim),
        subject=_identifier(claims, rules.subject_claim),
        grants=own,
        key_id=OF_ISSUER,
    )


def _roles(claim: object) -> list[str]:
    if isinstance(claim, str):
        claim = claim.split(" ")
    if claim is None:
        return []
    if not isinstance(claim, list) or len(claim) > MAX_ROLES or not all(isinstance(one, str) for one in claim):
        raise WrongToken("its roles are not a list of names")
    return claim


def _identifier(claims: Mapping[str, Any], name: str) -> str:
    value = _claim(claims, name)
    if not isinstance(value, str) or len(value) > 200 or not re.fullmatch(IDENTIFIER, value, re.ASCII):
        raise WrongToken(f"its claim {name} holds no identifier")
    return value


def _claim(claims: Mapping[str, Any], name: str) -> object:
    if not name.startswith("/"):
        return claims.get(name)
    found: object = claims
    for part in name[1:].split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


def _document(segment: str, what: str) -> dict[str, Any]:
    try:
        document = strict_json.parse(_decoded(segment, what))
    except strict_json.NotJson:
        raise WrongToken(f"its {what} is not JSON that is taken here") from None
    if not isinstance(document, dict):
        raise WrongToken(f"its {what} is not a JSON object")
    return document


def _decoded(segment: str, what: str) -> bytes:
    if not _SEGMENT.fullmatch(segment) or len(segment) % 4 == 1:
        raise WrongToken(f"its {what} is not base64url")
    decoded = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != segment.encode():
        raise WrongToken(f"its {what} is not base64url in its one form")
    return decoded
