"""A signature is of one record, under one key."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import EncodedRecord, Headers
from services.platform.messaging.signatures import (
    KEY_HEADER,
    SERVICE,
    SIGNATURE_HEADER,
    is_signed_by,
    service_key,
    sign_as_publisher,
    signature_of,
    signer_of_services,
    signing_key,
)
from services.platform.messaging.signing_keys import open_signing_key, seal_signing_key

PEPPER = "p" * 32
API_KEY = "pk_0011223344556677_secret_with_underscores"
HEADERS: Headers = (("ce_id", b"1"), ("ce_source", b"/ci"), ("content-type", b"application/json"), ("note", b"free"))
RECORD = EncodedRecord("tests.completed", b"dep-1", HEADERS, b'{"a": 1}')


def verifies(record: EncodedRecord, key: bytes) -> bool:
    signature = signature_of(record.headers)
    return signature is not None and is_signed_by(record, signature, key)


def test_a_publisher_s_signature_verifies_under_its_key() -> None:
    signed = sign_as_publisher(RECORD, API_KEY)

    signature = signature_of(signed.headers)
    assert signature is not None
    assert signature.key_id == "0011223344556677"
    assert verifies(signed, signing_key(API_KEY))


def test_a_service_s_signature_verifies_under_the_pepper() -> None:
    signed = signer_of_services(PEPPER)(RECORD)

    signature = signature_of(signed.headers)
    assert signature is not None
    assert signature.key_id == SERVICE
    assert verifies(signed, service_key(PEPPER))
    assert not verifies(signed, service_key("q" * 32))


def test_to_sign_twice_leaves_one_signature() -> None:
    signed = sign_as_publisher(signer_of_services(PEPPER)(RECORD), API_KEY)

    assert verifies(signed, signing_key(API_KEY))
    assert signed == sign_as_publisher(RECORD, API_KEY)


def test_a_dead_letter_keeps_what_it_was_found_with() -> None:
    letter = replace(RECORD, topic="tests.completed.dead")

    assert signer_of_services(PEPPER)(letter) == letter


@pytest.mark.parametrize(
    "changed",
    [
        lambda record: replace(record, topic="metrics.observed"),
        lambda record: replace(record, key=b"dep-2"),
        lambda record: replace(record, key=None),
        lambda record: replace(record, key=b""),
        lambda record: replace(record, value=b'{"a": 2}'),
        lambda record: replace(record, value=None),
        lambda record: replace(record, headers=(("ce_id", b"2"), *record.headers[1:])),
        lambda record: replace(record, headers=record.headers[1:]),
        lambda record: replace(record, headers=(*record.headers, ("ce_extra", b"x"))),
        lambda record: replace(record, headers=(*record.headers, ("CE_ID", b"2"))),
        lambda record: replace(record, headers=(*record.headers, ("ce_extra", None))),
        lambda record: replace(record, headers=(record.headers[1], record.headers[0], *record.headers[2:])),
    ],
)
def test_whatever_is_changed_the_signature_is_wrong(changed: object) -> None:
    signed = sign_as_publisher(RECORD, API_KEY)

    assert not verifies(changed(signed), signing_key(API_KEY))  # type: ignore[operator]


def test_headers_that_say_nothing_of_the_event_are_free() -> None:
    signed = sign_as_publisher(RECORD, API_KEY)
    seen_by_a_proxy = replace(signed, headers=(*signed.headers, ("traced", b"1")))

    assert verifies(seen_by_a_proxy, signing_key(API_KEY))


def test_bytes_cannot_move_from_one_part_to_the_next() -> None:
    one = sign_as_publisher(EncodedRecord("t", b"ab", (), b"c"), API_KEY)
    signature = signature_of(one.headers)

    assert signature is not None
    assert not is_signed_by(EncodedRecord("t", b"a", one.headers, b"bc"), signature, signing_key(API_KEY))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((KEY_HEADER, b"a"),),
        ((SIGNATURE_HEADER, b"AAAA"),),
        ((KEY_HEADER, None), (SIGNATURE_HEADER, b"AAAA")),
        ((KEY_HEADER, b"a"), (SIGNATURE_HEADER, None)),
        ((KEY_HEADER, b"\xff"), (SIGNATURE_HEADER, b"AAAA")),
        ((KEY_HEADER, b"a"), (SIGNATURE_HEADER, b"!")),
        ((KEY_HEADER, b"a"), (SIGNATURE_HEADER, b"AAAA"), (KEY_HEADER, b"b")),
        ((KEY_HEADER, b"a"), (SIGNATURE_HEADER, b"AAAA"), ("Promotion-Signature", b"BBBB")),
        ((KEY_HEADER, b"a" * 65), (SIGNATURE_HEADER, b"AAAA")),
    ],
)
def test_what_is_no_signature_is_none(headers: Headers) -> None:
    assert signature_of(headers) is None


def test_the_stored_signing_key_opens_under_its_pepper_alone() -> None:
    sealed = seal_signing_key(API_KEY, PEPPER)

    assert open_signing_key(sealed, PEPPER) == signing_key(API_KEY)
    assert open_signing_key(sealed, "q" * 32) is None
    assert open_signing_key(b"", PEPPER) is None
    assert signing_key(API_KEY) not in sealed


@given(st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=40)), max_size=6))
def test_no_headers_break_the_reader(headers: list[tuple[str, bytes | None]]) -> None:
    signature_of(tuple(headers))
