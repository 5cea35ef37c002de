"""Canaries of secrets through the whole system: real processes, every topic, every table, every log and answer."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from confluent_kafka import Consumer, TopicPartition

from schemas.topics import DEFAULT_PARTITIONS, all_topics
from tests.end_to_end.api import Caller, announce, caller, deployment_event
from tests.end_to_end.conftest import RunStack
from tests.end_to_end.stack import RunningStack
from tests.fixtures.canaries import sings, tables_with
from tests.integration.notifications.receivers import Receiver, receiving

OF_GATEWAY, OF_ECHO = "canary-credential-51c7", "canary-credential-e8a0"
OF_WEBHOOK = "Y2FuYXJ5LXNlY3JldC1vZi1hLXdlYmhvb2stMjk="


@pytest.fixture(scope="module")
def stack(run_stack: RunStack) -> RunningStack:
    return run_stack("--processes")


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """Open a gateway that refuses every order, and says which credential it was shown."""

    async def refuse(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            return web.Response(status=204)
        shown = request.headers.get("Authorization", "")
        return web.json_response({"code": "refused", "detail": f"{shown} is not for this"}, status=422)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", refuse)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/")).rstrip("/")
    await server.close()


async def test_no_secret_gets_out_of_where_it_is_kept(stack: RunningStack) -> None:
    secrets = {**kept(stack), "gateway": OF_GATEWAY, "echo": OF_ECHO, "webhook": OF_WEBHOOK}

    async with echo() as url, receiving() as receiver:
        refused = await work(stack, url, receiver)
        said = {
            "answers": await answers(stack, refused["id"]),
            "topics": records(stack),
            "logs": logs(stack),
            "webhook": "".join(f"{call.headers}{call.body}" for call in receiver.calls),
        }

    assert "[redacted]" in refused["status_message"]
    assert [
        (what, where) for where, text in said.items() for what, secret in secrets.items() if sings(secret, text)
    ] == []
    assert await tables_with(stack.ready["postgres"], secrets.values()) == {}
    # What was searched is what there was.
    assert refused["id"] in said["answers"]
    assert refused["id"] in said["topics"]
    assert "deployed" in said["webhook"]


def kept(stack: RunningStack) -> dict[str, str]:
    """Give the secrets of the stack itself, by what they are."""
    ready, folder = stack.ready, stack.data_folder
    password = re.search(r"://[^:]+:([^@]+)@", ready["postgres"])
    assert password is not None
    return {
        **{f"key of {name}": token.split("_", 2)[2] for name, token in ready["tokens"].items()},
        "pepper": (folder / "key.pepper").read_text().strip(),
        "credential key": (folder / "credential.key").read_text().strip(),
        "database": password[1],
    }


async def work(stack: RunningStack, echo_url: str, receiver: Receiver) -> Any:
    """Promote to a gateway with a credential, and to one that repeats it; give the promotion that it refused."""
    admin, requester = caller(stack.ready, "admin"), caller(stack.ready, "requester")
    staging = next(gateway for gateway in stack.ready["gateways"] if gateway["id"] == "gw-staging")
    given = {"environment": "staging", "url": staging["url"], "credential": OF_GATEWAY, "is_default": True}
    status, body = await admin.request("PUT", "/gateways/gw-staging", given)
    assert status == 200, body
    await admin.post(
        "/gateways", {"gateway_id": "gw-echo", "environment": "staging", "url": echo_url, "credential": OF_ECHO}
    )
    hook = {"name": "all of it", "url": receiver.url, "secret": f"whsec_{OF_WEBHOOK}"}
    await admin.post("/webhooks", hook)
    for name in ("kept", "echoed"):
        await announce(admin, deployment_event(f"dep-{name}", f"agent-{name}", "development"))
    done = await requester.post("/promotions", asked("kept", "gw-staging"))
    await requester.until(f"/promotions/{done['id']}", status="completed")
    failed = await requester.post("/promotions", asked("echoed", "gw-echo"))
    wrong = Caller(stack.ready["api"], f"{stack.ready['tokens']['admin']}x")
    assert (await wrong.request("GET", "/promotions"))[0] == 401
    while not any("deployed" in call.body for call in receiver.calls):
        await admin.get("/promotions")
    return await requester.until(f"/promotions/{failed['id']}", status="failed")


def asked(name: str, gateway_id: str) -> dict[str, str]:
    return {
        "agent_id": f"agent-{name}",
        "source_deployment_id": f"dep-{name}",
        "target_gateway_id": gateway_id,
        "target_environment": "staging",
    }


async def answers(stack: RunningStack, promotion_id: str) -> str:
    """Give every answer to a GET, to an administrator, with the ids that there are."""
    admin = caller(stack.ready, "admin")
    [webhook] = (await admin.get("/webhooks"))["items"]
    deliveries = (await admin.get(f"/webhooks/{webhook['id']}/deliveries"))["items"]
    ids = {
        "promotion_id": promotion_id, "deployment_id": "dep-echoed", "gateway_id": "gw-echo",
        "webhook_id": webhook["id"], "delivery_id": deliveries[0]["id"],
    }  # fmt: skip
    said = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {stack.ready['tokens']['admin']}"}) as session:
        async with session.get(f"{stack.ready['api']}/openapi.json") as answer:
            paths = (await answer.json())["paths"]
        for path in [path for path, methods in paths.items() if "get" in methods and not path.endswith("/stream")]:
            filled = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], promotion_id), path)
            async with session.get(stack.ready["api"] + filled) as answer:
                said.append(f"{path} {answer.status} {dict(answer.headers)} {await answer.text()}")
    return "\n".join(said)


def records(stack: RunningStack) -> str:
    """Read every topic from its first record to its last."""
    consumer = Consumer(
        {"bootstrap.servers": stack.ready["kafka"], "group.id": "canaries", "enable.auto.commit": False}
    )
    places = [TopicPartition(topic, number, 0) for topic in all_topics() for number in range(DEFAULT_PARTITIONS)]
    waiting = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
    consumer.assign(places)
    read: list[str] = []
    while len(read) < waiting:
        found = consumer.consume(500, timeout=10)
        assert found, f"{len(read)} of {waiting} records"
        read += [f"{each.topic()} {each.key()!r} {each.headers()} {each.value()!r}" for each in found]
    consumer.close()
    return "\n".join(read)


def logs(stack: RunningStack) -> str:
    """Read what every process wrote, also the gateways of what they were asked."""
    files: list[Path] = [each for each in (stack.data_folder / "logs").rglob("*") if each.is_file()]
    files += [Path(gateway["log"]) for gateway in stack.ready["gateways"]]
    assert len(files) > 5
    return "\n".join([stack.log, *(file.read_text("utf-8", "replace") for file in files)])
