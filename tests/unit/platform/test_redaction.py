"""No secret stands in a log line, wherever it came from."""

import io
import json
import logging
import sys

import pytest
import structlog

from services.platform.redaction import HIDDEN, redacted, redacted_text
from services.platform.telemetry import configure_logging

KEY = "pk_0011223344556677_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmE"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
CANARIES = ("Zm9vYmFy", "eyJzdWIi", "hunter2hunter2")


@pytest.mark.parametrize(
    "text",
    [
        f"key {KEY} refused",
        f"Authorization: Bearer {KEY}",
        f"Bearer {JWT}",
        f"token={JWT}",
        "authorization: bearer hunter2hunter2",
        "Basic hunter2hunter2==",
        "postgresql://promotion:hunter2hunter2@db:5432/promotion",
        "https://user:hunter2hunter2@gateway/x",
        "signed with whsec_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4+/8=",
    ],
)
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    shown = redacted_text(text)

    assert HIDDEN in shown
    assert not any(canary in shown for canary in CANARIES)


@pytest.mark.parametrize(
    "text",
    ["promotion 6f1d3c0e moved", "key pk_0011223344556677 is revoked", "https://gateway.example:8443/path", "a.b.c",
     "bearer of bad news", "postgresql://promotion@db/x", ""],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted_text(text) == text


@pytest.mark.parametrize(
    "name",
    ["password", "Authorization", "credential", "gateway_credential", "api_key", "PROMOTION_API_KEY", "pepper",
     "key_pepper", "secret", "client-secret", "token", "signing_key", "cookie", "signature"],
)  # fmt: skip
def test_a_field_that_is_named_like_a_secret_is_hidden(name: str) -> None:
    assert redacted(name, "hunter2") == HIDDEN
    assert redacted(name, ["hunter2"]) == HIDDEN


@pytest.mark.parametrize("name", ["key", "key_id", "fencing_token_count", "credentials_missing", "token_type"])
def test_other_fields_stay(name: str) -> None:
    assert redacted(name, "value") == "value"


def test_secrets_are_found_within_values() -> None:
    value = {"headers": [("authorization", f"Bearer {KEY}"), {"credential": "hunter2hunter2"}], "raw": KEY.encode()}

    shown = repr(redacted("request", value))

    assert not any(canary in shown for canary in CANARIES)


def test_endless_nesting_ends() -> None:
    value: list[object] = []
    value.append(value)

    redacted("x", value)


def test_log_lines_carry_no_secret_in_fields_texts_tracebacks_and_libraries() -> None:
    stream = io.StringIO()
    configure_logging(level="info", style="json", stream=stream)
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error, url="http://u:hunter2hunter2@h", credential="hunter2")
    handler = logging.getLogger().handlers[0]
    library = handler.format(logging.LogRecord("lib", logging.ERROR, "", 0, "sent %s", (JWT,), None))

    line = stream.getvalue()
    assert json.loads(line.splitlines()[0])["credential"] == HIDDEN
    assert not any(canary in line + library for canary in (*CANARIES, "hunter2"))


def test_what_a_library_logs_is_a_line_of_the_same_shape() -> None:
    configure_logging(level="info", style="json", stream=io.StringIO())
    handler = logging.getLogger().handlers[0]
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError:
        record = logging.LogRecord("lib", logging.WARNING, "", 0, "sent %s", ("it",), sys.exc_info())

    line = json.loads(handler.format(record))

    assert (line["level"], line["logger"], line["event"]) == ("warning", "lib", "sent it")
    assert "refused" in line["exception"]
    assert not any(canary in json.dumps(line) for canary in CANARIES)
