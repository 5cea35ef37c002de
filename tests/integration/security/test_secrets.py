"""Canaries of secrets: what opens anything is in no answer, no row, no event that waits, no line of the log."""

from collections.abc import Awaitable, Callable

import pytest

from services.platform.clock import utc_now
from studio.console.sessions import Sessions
from tests.fixtures.canaries import forms, sings, tables_with
from tests.integration.ingress.conftest import PEPPER, Door
from tests.integration.security.nest import SECRET, WEBHOOK_SECRET, Nest, build_nest
from tests.integration.security.test_canaries import STREAM, pages, places

Misuse = Callable[[str], Awaitable[str]]


@pytest.fixture
async def nest(door: Door) -> Nest:
    return await build_nest(door)


async def everything_said(door: Door, nest: Nest, secret: str) -> str:
    """Give every answer to an administrator, on the API and the console, also to calls that hold ``secret``."""
    key = await door.key("admin")
    session = {"Cookie": f"session={await Sessions(door.platform, utc_now).begin(key.split('_')[1])}"}
    said = []
    for method, path in await places(door):
        if path != STREAM:
            body = None if method in {"GET", "DELETE"} else {"credential": secret, "secret": secret}
            said.append(await door.call(method, nest.path(path), body))
    said += [await door.call("GET", nest.path(path), role=None, headers=session) for path in pages(door)]
    return "\n".join(f"{answer.body!r} {dict(answer.headers)}" for answer in said)


@pytest.mark.parametrize("secret", [SECRET, WEBHOOK_SECRET.removeprefix("whsec_"), WEBHOOK_SECRET])
async def test_what_a_gateway_or_a_webhook_shares_with_us_is_nowhere_to_be_read(
    door: Door, nest: Nest, capfd: pytest.CaptureFixture[str], secret: str
) -> None:
    stored = await tables_with(door.database_url, [secret])

    said = await everything_said(door, nest, secret)

    assert not sings(secret, said)
    assert stored == {}
    printed = capfd.readouterr()
    assert not sings(secret, printed.out + printed.err)


async def test_what_opens_the_whole_deployment_is_nowhere_to_be_read(
    door: Door, nest: Nest, capfd: pytest.CaptureFixture[str]
) -> None:
    sealing = "a" * 43

    said = await everything_said(door, nest, "x")
    printed = capfd.readouterr()

    assert await tables_with(door.database_url, [PEPPER, sealing]) == {}
    assert [secret for secret in (PEPPER, sealing) if sings(secret, said + printed.out + printed.err)] == []


async def test_a_key_and_a_session_are_nowhere_to_be_read(
    door: Door, nest: Nest, capfd: pytest.CaptureFixture[str]
) -> None:
    key = await door.key("admin")
    session = await Sessions(door.platform, utc_now).begin(key.split("_")[1])
    secrets = [key.split("_", 2)[2], session]
    answers = []

    # Whoever takes one thing for another is not repeated either.
    for header in ("Authorization", "On-Behalf-Of", "Idempotency-Key", "If-Match", "Last-Event-ID", "Prefer"):
        for secret in (key, session):
            headers = {"Authorization": f"Bearer {key}", header: f"Bearer {secret}"}
            body = {"agent_id": "a", "source_deployment_id": "d", "target_environment": "staging"}
            answers.append(await door.call("POST", "/api/v1/promotions", body, role=None, headers=headers))
    answers.append(await door.call("GET", "/sign-in", role=None, headers={"Cookie": f"session={session}"}))
    said = "\n".join(f"{answer.body!r} {dict(answer.headers)}" for answer in answers)
    printed = capfd.readouterr()

    assert [secret for secret in secrets if sings(secret, said + printed.out + printed.err)] == []
    assert await tables_with(door.database_url, secrets) == {}


async def test_what_is_stored_in_any_form_would_be_found(door: Door) -> None:
    await door.execute("CREATE TABLE promotion.leak (raw bytea, text text, document jsonb, list text[])")
    kept = [
        ("raw", b"x-" + SECRET.encode()),
        ("text", forms(SECRET)[2]),
        ("document", f'{{"a": ["{SECRET}"]}}'),
        ("list", [f"Bearer {SECRET}"]),
    ]

    for column, value in kept:
        await door.execute("DELETE FROM promotion.leak")
        await door.execute(f"INSERT INTO promotion.leak ({column}) VALUES ($1)", value)

        assert await tables_with(door.database_url, [SECRET]) == {SECRET: ["promotion.leak"]}, column
