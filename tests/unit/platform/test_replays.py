"""Whose a record says it is, and that a record that is sent again keeps the words and the signature that it had."""

import json
from typing import Any

import pytest

from schemas.cloudevents import EncodedRecord
from schemas.topics import TESTS_COMPLETED
from services.platform.messaging.claims import claimed_organization
from services.platform.messaging.signatures import outgoing, signer_of_services, verbatim

RECORD = EncodedRecord(TESTS_COMPLETED, b"k", (("ce_id", b"1"), ("promotion-verbatim", None)), b"{}")
SIGN = signer_of_services("p" * 32)


@pytest.mark.parametrize("sign", [None, SIGN])
def test_what_is_sent_again_goes_out_as_it_was_whoever_sends_it(sign: Any) -> None:
    assert outgoing(verbatim(RECORD), sign) == RECORD


def test_what_is_our_own_is_signed_where_records_are() -> None:
    assert outgoing(RECORD, SIGN) == SIGN(RECORD)
    assert outgoing(RECORD, None) == RECORD


@pytest.mark.parametrize(
    ("value", "organization"),
    [
        ({"organization_id": "acme"}, "acme"),
        ({"specversion": "1.0", "data": {"organization_id": "acme"}}, "acme"),
        ({"data": {}, "organization_id": "acme"}, None),
        ({"organization_id": ""}, None),
        ({"organization_id": "a,b"}, None),
        ({"organization_id": "*"}, None),
        ({"organization_id": "x" * 201}, None),
        ({"organization_id": ["acme"]}, None),
        (["acme"], None),
        (None, None),
    ],
)
def test_an_organization_is_read_in_either_mode_or_not_at_all(value: object, organization: str | None) -> None:
    assert claimed_organization(json.dumps(value).encode()) == organization


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[" * 50_000, b'{"organization_id": "acme", "organization_id": "globex"}']
)
def test_what_cannot_be_read_names_nobody(value: bytes | None) -> None:
    assert claimed_organization(value) is None
