"""Tokens are taken to the letter or not at all."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import Role
from services.platform.grants import Grants, read_grant
from services.platform.identity import Principal
from services.platform.jwks import FetchFailed, KeySet, TokenVerifier, read_key_set
from services.platform.tokens import TokenRules, WrongToken, principal_of, read_claims, read_header
from tests.conformance.strict_tokens.cases import ACCEPTED, KEY_SET, REFUSED, REFUSED_BY_HEADER
from tests.conformance.strict_tokens.issuer import AUDIENCE, ISSUER, NOW, claims, ec_key, token

RULES = TokenRules(issuer=ISSUER, audience=AUDIENCE)
MOMENT = datetime.fromtimestamp(NOW, UTC)
KEYS = read_key_set(json.dumps(KEY_SET).encode())
ALICE = Principal("acme", "alice", Grants.of(read_grant("approver:production"), Role.VIEWER), "oidc")


def read(text: str, rules: TokenRules = RULES) -> Principal:
    header = read_header(text)
    key = KEYS.get(header.key_id)
    if key is None:
        raise WrongToken("unknown key")
    return principal_of(read_claims(text, key, rules, now=MOMENT), rules)


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_token_of_the_set_is_taken(name: str) -> None:
    assert read(ACCEPTED[name]) == ALICE


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_of_the_set_is_refused(name: str) -> None:
    with pytest.raises(WrongToken):
        read(REFUSED[name])


@pytest.mark.parametrize("name", REFUSED_BY_HEADER)
def test_a_token_of_the_set_is_refused_before_a_key_is_looked_for(name: str) -> None:
    with pytest.raises(WrongToken):
        read_header(REFUSED[name])


@pytest.mark.parametrize("name", REFUSED)
async def test_a_token_of_the_set_is_refused_with_the_keys_of_the_issuer(name: str) -> None:
    async def fetch() -> bytes:
        return json.dumps(KEY_SET).encode()

    verifier = TokenVerifier(RULES, KeySet(fetch, elapsed=lambda: 0.0), lambda: MOMENT)

    with pytest.raises(WrongToken):
        await verifier.verify(REFUSED[name])


def test_only_the_keys_that_sign_are_believed() -> None:
    assert set(KEYS) == {"rsa", "rs512-only", "p256", "p384"}


def test_a_key_set_that_is_none_is_refused() -> None:
    for document in (b"", b"<html>", b"[]", b'{"keys": {}}', b'{"keys": [' + b"{}," * 200 + b"{}]}"):
        with pytest.raises(FetchFailed):
            read_key_set(document)


def test_a_token_makes_nobody_a_delegate_or_an_operator() -> None:
    principal = read(token(claims(roles=["delegate", "operator", "viewer"])))

    assert principal.grants == Grants.of(Role.VIEWER)


def test_roles_of_other_applications_grant_nothing() -> None:
    principal = read(token(claims(roles=["offline_access", "admin:Production", "requester"])))

    assert principal.grants == Grants.of(Role.REQUESTER)


def test_a_token_without_roles_may_do_nothing() -> None:
    assert read(token(claims(roles=None))).grants == Grants()


def test_claims_are_found_where_they_are_configured() -> None:
    rules = TokenRules(
        ISSUER, AUDIENCE, organization_claim="https://x.example/org", subject_claim="preferred_username",
        roles_claim="/realm_access/roles",
    )  # fmt: skip
    body = claims(realm_access={"roles": ["admin"]}, preferred_username="bob", roles=None, organization_id=None)

    principal = read(token(body | {"https://x.example/org": "globex"}), rules)

    assert principal == Principal("globex", "bob", Grants.of(Role.ADMIN), "oidc")


@pytest.mark.parametrize("claim", ["email", "/email"])
@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_that_nobody_verified_names_nobody(verified: object, claim: str) -> None:
    rules = TokenRules(ISSUER, AUDIENCE, subject_claim=claim)

    with pytest.raises(WrongToken, match="not verified"):
        read(token(claims(email="alice@example.com", email_verified=verified)), rules)


def test_a_verified_address_names_a_person() -> None:
    rules = TokenRules(ISSUER, AUDIENCE, subject_claim="email")

    assert read(token(claims(email="alice@example.com", email_verified=True)), rules).subject == "alice@example.com"


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(WrongToken):
        read(text)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_signed_bytes_break_the_reader(header: bytes, body: bytes) -> None:
    with pytest.raises(WrongToken):
        read(token(body, header=header, alg="ES256", key=ec_key()))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_no_value_of_a_claim_breaks_the_reader(value: object) -> None:
    for name in ("aud", "exp", "nbf", "iat", "sub", "organization_id", "roles", "iss"):
        text = token(claims(**{name: value}), alg="ES256", key=ec_key(), header={"kid": "p256"})
        try:
            read(text)
        except WrongToken:
            continue
