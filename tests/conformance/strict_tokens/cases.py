"""The set: name → token, once those that are taken and once those that are not."""

import json
from typing import Any

from tests.conformance.strict_tokens.issuer import (
    AUDIENCE,
    ISSUER,
    NOW,
    b64,
    claims,
    ec_key,
    jwk,
    public_pem,
    rsa_key,
    token,
)

KEY_SET = {
    "keys": [
        jwk(rsa_key(), "rsa", use="sig"),
        jwk(rsa_key(2048, 1), "rs512-only", alg="RS512"),
        jwk(ec_key("P-256"), "p256"),
        jwk(ec_key("P-384"), "p384"),
        # None of those below may ever verify anything.
        jwk(rsa_key(2048, 2), "encryption", use="enc"),
        jwk(rsa_key(1024), "short"),
        jwk(ec_key("P-521"), "p521"),
        jwk(ec_key("secp256k1"), "k1"),
        jwk(rsa_key(2048, 3), "twice"),
        jwk(rsa_key(2048, 4), "twice"),
        jwk(rsa_key(2048, 5), "signs-only", key_ops=["sign"]),
        jwk(rsa_key(2048, 6), "odd-operations", key_ops=7),
        jwk(rsa_key(2048, 7), "odd-algorithm", alg=["RS256"]),
        jwk(rsa_key(2048, 8), None),
        {"kty": "oct", "kid": "shared", "k": b64(b"k" * 32), "alg": "HS256"},
        {"kty": "RSA", "kid": "broken", "n": "AQAB", "e": "!"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(b"x" * 32)},
        "not an object",
    ]
}

_EMBEDDED = jwk(rsa_key(2048, 99), "evil")


def _headed(key_number: int = 0, **header: Any) -> str:
    return token(header=header, key=rsa_key(2048, key_number))


ACCEPTED: dict[str, str] = {
    **{f"{alg} by an RSA key": token(alg=alg) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")},
    "ES256 by a key on P-256": token(alg="ES256", key=ec_key("P-256"), header={"kid": "p256"}),
    "ES384 by a key on P-384": token(alg="ES384", key=ec_key("P-384"), header={"kid": "p384"}),
    "an algorithm that the key is for": token(alg="RS512", key=rsa_key(2048, 1), header={"kid": "rs512-only"}),
    "an access token's type": _headed(typ="at+jwt"),
    "a type in full": _headed(typ="application/at+jwt"),
    "a type in capitals": _headed(typ="JWT"),
    "one audience of several": token(claims(aud=["other", AUDIENCE])),
    "expired within the leeway": token(claims(exp=NOW - 29)),
    "not yet valid within the leeway": token(claims(nbf=NOW + 29)),
    "issued within the leeway": token(claims(iat=NOW + 29)),
    "no beginning": token(claims(nbf=None, iat=None)),
    "an expiry with a fraction": token(claims(exp=NOW + 10.5)),
    "roles in one text": token(claims(roles="approver:production viewer")),
    # A key in the header is not looked at; the signature is the issuer's.
    "a stranger's jwk beside an honest signature": _headed(jwk=_EMBEDDED),
    "a stranger's jku beside an honest signature": _headed(jku="https://evil.example/keys"),
    "a stranger's x5u beside an honest signature": _headed(x5u="https://evil.example/cert"),
    "a stranger's x5c beside an honest signature": _headed(x5c=["AAAA"]),
}

_HONEST = token()
_HEADER, _CLAIMS, _SIGNATURE = _HONEST.split(".")


def _next(character: str) -> str:
    """Give a character that differs in bits that base64 does not count here."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) ^ 1]


REFUSED: dict[str, str] = {
    "nothing": "",
    "no JWT at all": "opensesame",
    "two parts": f"{_HEADER}.{_CLAIMS}",
    "no signature": f"{_HEADER}.{_CLAIMS}.",
    "five parts, as if encrypted": f"{_HONEST}.a.b",
    "white space": f"{_HONEST} ",
    "a newline within": f"{_HEADER}\n.{_CLAIMS}.{_SIGNATURE}",
    "padding": f"{_HEADER}=.{_CLAIMS}.{_SIGNATURE}",
    "plain base64": f"{_HEADER}.{_CLAIMS}.{'+/' * 171}",
    "characters beyond ASCII": f"{_HEADER}.{_CLAIMS}é.{_SIGNATURE}",
    "too long": token(claims(filler="x" * 9000)),
    "alg none": token(alg="none"),
    "alg None": token(alg="None", sign_as="none"),
    "alg nOnE with a signature": token(alg="nOnE", sign_as="RS256"),
    "no alg": token(header=json.dumps({"kid": "rsa"}).encode()),
    "alg as a list": token(header={"alg": ["RS256"]}, sign_as="RS256"),
    "alg as a number": token(header={"alg": 256}, sign_as="RS256"),
    "alg in lower case": token(alg="rs256", sign_as="RS256"),
    "HMAC with the public key as PEM": token(alg="HS256", key=public_pem(rsa_key())),
    "HMAC with the public key as JWK": token(alg="HS256", key=json.dumps(jwk(rsa_key(), "rsa")).encode()),
    "HMAC with the shared key of the set": token(alg="HS256", key=b"k" * 32, header={"kid": "shared"}),
    "RS256 named, HMAC made": token(alg="RS256", key=public_pem(rsa_key()), sign_as="HS256"),
    "ES512": token(alg="ES512", key=ec_key("P-521"), header={"kid": "p521"}),
    "ES256K": token(alg="ES256K", key=ec_key("secp256k1"), header={"kid": "k1"}),
    "EdDSA": token(alg="EdDSA", sign_as="RS256", header={"kid": "ed"}),
    "an algorithm that the key is not for": token(alg="RS256", key=rsa_key(2048, 1), header={"kid": "rs512-only"}),
    "ES256 by a key on P-384": token(alg="ES256", key=ec_key("P-384"), header={"kid": "p384"}),
    "PS256 named, PKCS made": token(alg="PS256", sign_as="RS256"),
    "a key of 1024 bits": token(key=rsa_key(1024), header={"kid": "short"}),
    "a key for encryption": token(key=rsa_key(2048, 2), header={"kid": "encryption"}),
    "a key that stands twice": token(key=rsa_key(2048, 3), header={"kid": "twice"}),
    "a key that only signs": token(key=rsa_key(2048, 5), header={"kid": "signs-only"}),
    "a key of odd operations": token(key=rsa_key(2048, 6), header={"kid": "odd-operations"}),
    "a key of an odd algorithm": token(key=rsa_key(2048, 7), header={"kid": "odd-algorithm"}),
    "a broken key": token(header={"kid": "broken"}),
    "no kid": token(header=json.dumps({"alg": "RS256"}).encode()),
    "an empty kid": _headed(kid=""),
    "a kid that nobody has": _headed(kid="unknown"),
    "a kid as a path": _headed(kid="../../dev/null"),
    "a kid as a number": _headed(kid=1),
    "a kid of 300 characters": _headed(kid="k" * 300),
    "a stranger's key in the header": _headed(99, jwk=_EMBEDDED),
    "a stranger's key and its kid in the header": _headed(99, jwk=_EMBEDDED, kid="evil"),
    "a stranger's key set": _headed(99, jku="https://evil.example/keys"),
    "a stranger's certificate": _headed(99, x5u="https://evil.example/cert", x5c=["AAAA"]),
    "another RSA key's signature": token(key=rsa_key(2048, 99)),
    "crit": _headed(crit=["exp"], exp=NOW + 10),
    "an empty crit": _headed(crit=[]),
    "crit of b64": _headed(crit=["b64"], b64=True),
    "b64 alone": _headed(b64=False),
    "another type": _headed(typ="logout+jwt"),
    "a type that is no text": _headed(typ=["JWT"]),
    "a header that is no object": token(header=b'["RS256"]'),
    "a header with a key twice": token(header=b'{"alg":"none","alg":"RS256","kid":"rsa"}'),
    "a header that is not JSON": token(header=b"{"),
    "claims that are no object": token(b'["alice"]'),
    "claims that are not JSON": token(b"alice"),
    "claims that are not UTF-8": token(b'{"sub":"\xff"}'),
    "a claim twice": token(json.dumps(claims()).replace('"sub":', '"sub": "mallory", "sub":').encode()),
    "changed claims": f"{_HEADER}.{b64(json.dumps(claims(sub='mallory')).encode())}.{_SIGNATURE}",
    "a changed signature": f"{_HEADER}.{_CLAIMS}.{_SIGNATURE[:-4]}AAAA",
    "a signature written otherwise": f"{_HEADER}.{_CLAIMS}.{_SIGNATURE[:-1]}{_next(_SIGNATURE[-1])}",
    "a signature cut short": f"{_HEADER}.{_CLAIMS}.{_SIGNATURE[:-8]}",
    "another issuer": token(claims(iss="https://issuer.example/realms/two")),
    "an issuer that begins alike": token(claims(iss=f"{ISSUER}/")),
    "an issuer in capitals": token(claims(iss=ISSUER.upper())),
    "an issuer in a list": token(claims(iss=[ISSUER])),
    "no issuer": token(claims(iss=None)),
    "another audience": token(claims(aud="promotion2")),
    "an audience that holds ours": token(claims(aud="xpromotionx")),
    "no audience": token(claims(aud=None)),
    "an empty list of audiences": token(claims(aud=[])),
    "an audience that is no text": token(claims(aud=[AUDIENCE, 7])),
    "an audience as an object": token(claims(aud={AUDIENCE: True})),
    "a thousand audiences": token(claims(aud=["a"] * 1000 + [AUDIENCE])),
    "no expiry": token(claims(exp=None)),
    "expired": token(claims(exp=NOW - 31)),
    "expired long ago": token(claims(exp=1)),
    "an expiry as text": token(claims(exp=str(NOW + 300))),
    "an expiry that is true": token(claims(exp=True)),
    "an expiry of null": token(json.dumps(claims() | {"exp": None}).encode()),
    "an expiry beyond numbers": token(json.dumps(claims(exp=None))[:-1].encode() + b', "exp": 1e400}'),
    "an expiry of NaN": token(json.dumps(claims(exp=None))[:-1].encode() + b', "exp": NaN}'),
    "an expiry of 4301 digits": token(json.dumps(claims(exp=None))[:-1].encode() + b', "exp": ' + b"9" * 4301 + b"}"),
    "a negative expiry": token(claims(exp=-1)),
    "not valid yet": token(claims(nbf=NOW + 31)),
    "a beginning as text": token(claims(nbf="now")),
    "a beginning that is true": token(claims(nbf=True)),
    "issued in the future": token(claims(iat=NOW + 31)),
    "no subject": token(claims(sub=None)),
    "a subject that is no identifier": token(claims(sub="alice\u0000")),
    "a subject in a list": token(claims(sub=["alice"])),
    "a subject with a look-alike": token(claims(sub="\u0430lice")),
    "no organization": token(claims(organization_id=None)),
    "two organizations": token(claims(organization_id=["acme", "globex"])),
    "roles as an object": token(claims(roles={"admin": True})),
    "roles that are no texts": token(claims(roles=["admin", 1])),
    "a thousand roles": token(claims(roles=["viewer"] * 1000)),
}  # fmt: skip

# Those that are refused by their header alone, before any key is looked for.
REFUSED_BY_HEADER = (
    "too long", "five parts, as if encrypted", "no signature", "alg none", "alg None", "alg nOnE with a signature",
    "no alg", "alg as a list", "alg as a number", "alg in lower case", "HMAC with the public key as PEM",
    "HMAC with the shared key of the set", "ES512", "ES256K", "EdDSA", "no kid", "an empty kid", "a kid as a number",
    "a kid of 300 characters", "crit", "an empty crit", "crit of b64", "b64 alone", "another type",
    "a type that is no text", "a header with a key twice", "a signature written otherwise",
)  # fmt: skip
