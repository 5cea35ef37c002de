"""Canaries: what one organization holds never sings in another's answers, and secrets sing nowhere at all."""

import base64
import re
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.integration.ingress.conftest import Answer, Door
from tests.integration.ingress.test_inventory_over_http import announce

CANARY = "canary-of-acme"
SECRET = "canary-secret-7d1f"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"canary-secret-of-a-webhook").decode()
EVERY = {"app.organizations": "*"}


class Nest:
    """Acme's things, each of whose texts holds the canary; by the name that paths give them."""

    def __init__(self, **identifiers: str) -> None:
        self.identifiers = identifiers

    def path(self, template: str, *, unknown: bool = False) -> str:
        def fill(found: re.Match[str]) -> str:
            known = self.identifiers.get(found[1], CANARY)
            if not unknown:
                return known
            return str(uuid4()) if known.count("-") == 4 else "canary-of-nobody"

        return re.sub(r"\{(\w+)[^}]*\}", fill, template)


@pytest.fixture
async def nest(door: Door) -> Nest:
    gateway = {
        "gateway_id": f"{CANARY}-gw", "name": f"{CANARY} name", "environment": "staging", "is_default": True,
        "url": f"http://{CANARY}.example:8443", "credential": SECRET,
    }  # fmt: skip
    assert (await door.call("POST", "/api/v1/gateways", gateway)).status == 201
    await announce(
        door, {"deployment_id": f"{CANARY}-dep", "agent_id": f"{CANARY}-agent", "gateway_id": f"{CANARY}-dev",
               "environment": "development", "version": CANARY, "digest": CANARY},
    )  # fmt: skip
    webhook = await door.call(
        "POST", "/api/v1/webhooks",
        {"name": f"{CANARY} webhook", "url": f"http://{CANARY}.example/hook", "secret": WEBHOOK_SECRET},
    )  # fmt: skip
    delivery = await door.call("POST", f"/api/v1/webhooks/{webhook.body['id']}/test")
    assert (webhook.status, delivery.status) == (201, 202)
    rule = await door.call(
        "POST", "/api/v1/promotions/rules",
        {"name": f"{CANARY} rule", "source_environment": "development", "target_environment": "staging"},
    )  # fmt: skip
    promotion = await door.call(
        "POST", "/api/v1/promotions",
        {"agent_id": f"{CANARY}-agent", "source_deployment_id": f"{CANARY}-dep", "target_environment": "staging"},
    )  # fmt: skip
    assert (rule.status, promotion.status) == (201, 201), (rule.body, promotion.body)
    identifier = promotion.body["id"]
    voted = await door.call("POST", f"/api/v1/promotions/{identifier}/approve", {"reason": CANARY}, role="approver")
    assert voted.status == 200
    letter = str(uuid4())
    await execute(
        door,
        "INSERT INTO platform.dead_letter (id, organization_id, consumer_group, topic, kafka_partition, kafka_offset, "
        "kafka_timestamp_ms, headers, value, reason, detail, parked_at) VALUES ($1, 'acme', 'rules.tests-completed', "
        "'tests.completed', 0, 1, 0, '[]', $2, 'wrong_schema', $3, now())",
        letter, CANARY.encode(), CANARY,
    )  # fmt: skip
    return Nest(
        gateway_id=f"{CANARY}-gw", deployment_id=f"{CANARY}-dep", agent_id=f"{CANARY}-agent", rule_id=rule.body["id"],
        promotion_id=identifier, letter_id=letter, webhook_id=webhook.body["id"], delivery_id=delivery.body["id"],
    )  # fmt: skip


async def execute(door: Door, statement: str, *values: Any) -> list[Any]:
    connection = await asyncpg.connect(door.database_url, server_settings=EVERY)
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()


async def places(door: Door) -> list[tuple[str, str]]:
    document = (await door.call("GET", "/openapi.json", role=None)).body
    return [
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if path != "/api/v1/stream"
    ]


def sings(answer: Answer, *asked: str) -> bool:
    """Tell whether the canary is in the answer, other than where what was asked is repeated."""
    said = f"{answer.body} {dict(answer.headers)}"
    for own in asked:
        said = said.replace(own, "")
    return CANARY in said


async def test_the_canary_is_there_for_its_own_organization(door: Door, nest: Nest) -> None:
    own = [path for method, path in await places(door) if method == "GET"]

    heard = [path for path in own if CANARY in f"{(await door.call('GET', nest.path(path))).body}"]

    assert {
        "/api/v1/promotions",
        "/api/v1/gateways",
        "/api/v1/deployments",
        "/api/v1/promotions/rules",
        "/api/v1/webhooks",
    } <= set(heard)
    assert len(heard) >= 10


async def test_no_answer_to_another_organization_holds_it(door: Door, nest: Nest) -> None:
    wrong = []
    for method, template in await places(door):
        path = nest.path(template)
        body = None if method in {"GET", "DELETE"} else {"reason": "because"}
        answer = await door.call(method, path, body, organization="globex")
        if sings(answer, *nest.identifiers.values(), *path.split("/")):
            wrong.append((method, path, answer.body))

    assert wrong == []


async def test_a_foreign_id_and_a_random_one_answer_alike(door: Door, nest: Nest) -> None:
    different = []
    for method, template in await places(door):
        if "{" not in template:
            continue
        body = None if method in {"GET", "DELETE"} else {"reason": "because"}
        asked = nest.path(template), nest.path(template, unknown=True)
        foreign, unknown = [await door.call(method, path, body, organization="globex") for path in asked]
        said = [str(answer.body) for answer in (foreign, unknown)]
        for path, index in zip(asked, (0, 1), strict=True):
            for part in path.split("/"):
                said[index] = said[index].replace(part, "X") if len(part) > 12 else said[index]
        if (foreign.status, said[0]) != (unknown.status, said[1]):
            different.append((method, template, foreign.status, said[0][:200], unknown.status, said[1][:200]))

    assert different == []


async def test_filters_and_cursors_of_another_organization_find_nothing(door: Door, nest: Nest) -> None:
    for path in ("/promotions", "/deployments", "/gateways", "/promotions/rules"):
        page = await door.call("GET", f"/api/v1{path}?limit=1")
        for query in (f"?agent_id={CANARY}-agent", f"?cursor={page.body.get('next_cursor') or ''}", "?limit=200"):
            answer = await door.call("GET", f"/api/v1{path}{query}", organization="globex")
            assert not sings(answer, f"{CANARY}-agent")


async def test_what_anybody_may_read_names_nobody(door: Door, nest: Nest) -> None:
    for path in ("/metrics", "/healthz", "/readyz", "/openapi.json", "/asyncapi"):
        answer = await door.call("GET", path, role=None)

        assert answer.status == 200
        assert CANARY not in str(answer.body)


@pytest.mark.parametrize("secret", [SECRET, WEBHOOK_SECRET.removeprefix("whsec_")], ids=["gateway", "webhook"])
async def test_what_a_gateway_or_a_webhook_shares_with_us_is_nowhere_to_be_read(
    door: Door, nest: Nest, capfd: pytest.CaptureFixture[str], secret: str
) -> None:
    answers = [
        str((await door.call(method, nest.path(path), {"credential": secret} if method != "GET" else None)).body)
        for method, path in await places(door)
        if "gateways" not in path or method == "GET"
    ]
    tables = await execute(
        door,
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    stored = [
        table["name"]
        for table in tables
        if await execute(door, f"SELECT 1 FROM {table['name']} t WHERE position($1 IN t::text) > 0 LIMIT 1", secret)
    ]
    printed = capfd.readouterr()

    assert [answer for answer in answers if secret in answer] == []
    assert stored == []
    assert secret not in printed.out + printed.err


async def test_a_key_is_nowhere_to_be_read(door: Door, nest: Nest, capfd: pytest.CaptureFixture[str]) -> None:
    key = await door.key("admin")
    secret = key.split("_", 2)[2]
    bad = {"Authorization": f"Bearer {key}x", "On-Behalf-Of": key, "Idempotency-Key": key}

    answers = [await door.call("POST", "/api/v1/promotions", {"agent_id": key}, role=None, headers=bad)]
    tables = await execute(
        door,
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    stored = [
        table["name"]
        for table in tables
        if await execute(door, f"SELECT 1 FROM {table['name']} t WHERE position($1 IN t::text) > 0 LIMIT 1", secret)
    ]
    printed = capfd.readouterr()

    assert [answer for answer in answers if secret in str(answer.body)] == []
    assert stored == []
    assert secret not in printed.out + printed.err
