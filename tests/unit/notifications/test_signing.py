"""Signatures, judged by somebody else's implementation of the specification."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.notifications.domain.signing import WrongSecret, headers, read_secret, write_secret

SECRET, OLD = b"s" * 32, b"o" * 24
BODY = '{"type":"promotion.changed","data":{"status_message":"Größe ✓"}}'


def test_what_is_signed_verifies() -> None:
    signed = headers("event-1", BODY, [SECRET], now=datetime.now(UTC))

    assert Webhook(write_secret(SECRET)).verify(BODY, signed)["type"] == "promotion.changed"


def test_during_a_rotation_both_secrets_verify_and_a_third_does_not() -> None:
    signed = headers("event-1", BODY, [SECRET, OLD], now=datetime.now(UTC))

    for secret in (SECRET, OLD):
        Webhook(write_secret(secret)).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(write_secret(b"x" * 32)).verify(BODY, signed)


@pytest.mark.parametrize("spoilt", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_signed_along(spoilt: str) -> None:
    signed = headers("event-1", BODY, [SECRET], now=datetime.now(UTC))
    signed[spoilt] = str(int(datetime.now(UTC).timestamp()) + 7)

    with pytest.raises(WebhookVerificationError):
        Webhook(write_secret(SECRET)).verify(BODY, signed)


def test_a_secret_is_read_as_it_was_written() -> None:
    assert write_secret(SECRET).startswith("whsec_")
    assert read_secret(write_secret(SECRET)) == SECRET
    assert read_secret(write_secret(b"u" * 25).rstrip("=")) == b"u" * 25


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", base64.b64encode(SECRET).decode(), write_secret(b"k" * 23), write_secret(b"k" * 65), "whsec_ü",
     "whsec_" + "-" * 40],
)  # fmt: skip
def test_what_is_no_secret_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(WrongSecret) as caught:
        read_secret(text)

    assert len(text) < 10 or text not in str(caught.value)
