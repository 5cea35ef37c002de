"""What gateways' answers mean; whatever is not exactly the contract's is unknown."""

import json
from dataclasses import replace

import pytest

from services.executor.domain.answers import (
    Absent,
    Answer,
    Call,
    Conflict,
    Created,
    Denied,
    Exists,
    Fenced,
    NoAnswer,
    Refused,
    Reply,
    Unknown,
    Unsent,
    read_reply,
)
from tests.unit.executor.executions import ORDER, START, answer, deployment


def read(call: Call, given: Answer | NoAnswer) -> Reply:
    return read_reply(call, ORDER, given, now=START)


MEANINGS = [
    (Call.PUT, answer(201, deployment()), Created),
    (Call.PUT, answer(200, deployment()), Exists),
    (Call.PUT, answer(200, deployment(status="retired")), Exists),
    (Call.PUT, answer(202, deployment()), Unknown),
    (Call.PUT, answer(204), Unknown),
    (Call.PUT, answer(201, deployment(deployment_id="another")), Unknown),
    (Call.PUT, answer(201, deployment(digest="sha256:other")), Unknown),
    (Call.PUT, answer(201, deployment(), content_type="text/html"), Unknown),
    (Call.PUT, answer(201, b"<html>"), Unknown),
    (Call.PUT, answer(201, b""), Unknown),
    (Call.PUT, answer(201, b"[" * 100_000), Unknown),
    (Call.PUT, answer(201, b'{"deployment_id": 7}'), Unknown),
    (Call.PUT, answer(307), Unknown),
    (Call.PUT, answer(400), Refused),
    (Call.PUT, answer(404), Refused),
    (Call.PUT, answer(422), Refused),
    (Call.PUT, answer(401), Denied),
    (Call.PUT, answer(403), Denied),
    (Call.PUT, answer(408), Unknown),
    (Call.PUT, answer(429), Unknown),
    (Call.PUT, answer(409, b'{"code": "content_mismatch"}'), Conflict),
    (Call.PUT, answer(409, b'{"code": "stale_fencing_token"}'), Unknown),
    (Call.PUT, answer(409, b"?"), Unknown),
    (Call.PUT, answer(410), Fenced),
    (Call.PUT, answer(500), Unknown),
    (Call.PUT, answer(599), Unknown),
    (Call.PUT, NoAnswer("time-out", sent=True), Unknown),
    (Call.PUT, NoAnswer("refused", sent=False), Unsent),
    (Call.LOOK_UP, answer(200, deployment()), Exists),
    (Call.LOOK_UP, answer(201, deployment()), Unknown),
    (Call.LOOK_UP, answer(200, deployment(version="0.9")), Conflict),
    (Call.LOOK_UP, answer(200, deployment(deployment_id="another")), Unknown),
    (Call.LOOK_UP, answer(404), Absent),
    (Call.LOOK_UP, answer(405), Unknown),
    (Call.LOOK_UP, answer(410), Fenced),
    (Call.LOOK_UP, answer(503), Unknown),
    (Call.FENCE, answer(204), Fenced),
    (Call.FENCE, answer(200), Unknown),
    (Call.FENCE, answer(201, deployment()), Unknown),
    (Call.FENCE, answer(404), Unknown),
    (Call.FENCE, answer(409), Unknown),
    # Whatever the key holds, a fence that is not confirmed is asked for again in a while, never at once.
    (Call.FENCE, answer(409, b'{"code": "content_mismatch"}'), Unknown),
    (Call.FENCE, answer(410), Fenced),
    (Call.FENCE, answer(401), Denied),
]


@pytest.mark.parametrize(("call", "given", "meaning"), MEANINGS)
def test_an_answer_means(call: Call, given: Answer | NoAnswer, meaning: type[Reply]) -> None:
    assert isinstance(read(call, given), meaning)


@pytest.mark.parametrize(
    ("given", "struggling"),
    [(answer(500), True), (answer(307), False), (answer(429), False), (answer(408), False), (answer(409), False)],
)
def test_only_trouble_of_the_gateway_itself_speaks_against_it(given: Answer, struggling: bool) -> None:
    reply = read(Call.PUT, given)

    assert isinstance(reply, Unknown)
    assert reply.struggling is struggling


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 01 Jan 2030 12:00:30 GMT", 30.0),
        ("Tue, 01 Jan 2030 11:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("9" * 400, None),
        ("٧", None),
    ],
)
def test_a_retry_after_is_read_in_both_its_forms(value: str, seconds: float | None) -> None:
    reply = read(Call.PUT, answer(503, retry_after=value))

    assert isinstance(reply, Unknown)
    assert reply.retry_after_seconds == seconds


def test_what_a_gateway_says_is_kept_short_and_printable() -> None:
    body = json.dumps({"code": "bad\u0000\u202e", "detail": "\x1b[31m" + "x" * 5000}).encode()

    reply = read(Call.PUT, answer(422, body))

    assert isinstance(reply, Refused)
    assert reply.reason.isprintable()
    assert reply.reason.isascii()
    assert len(reply.reason) < 700


@pytest.mark.parametrize("call", list(Call))
@pytest.mark.parametrize("status", [200, 201, 307, 400, 401, 404, 409, 410, 429, 500])
def test_a_gateway_that_says_the_credential_that_it_was_shown_is_not_repeated(call: Call, status: int) -> None:
    secret = "canary-secret-7d1f"
    # The last one would be cut in the midst of the secret.
    said = [{"code": secret, "detail": f"{secret} is wrong"}, {"detail": "x" * 490 + secret}]
    given = [answer(status, json.dumps(each).encode()) for each in said]
    given += [answer(status, deployment(deployment_id=secret)), answer(status, deployment(), content_type=secret)]

    replies = [read(call, replace(each, credential=secret)) for each in given]

    assert [reply for reply in replies if secret[:10] in str(reply)] == []
