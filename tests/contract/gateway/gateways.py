"""Ways to start a gateway, and a client that checks every answer against the contract document."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel

from studio.gateway import ReferenceGateway, Script, contract
from studio.gateway.openapi import openapi_document

COMMAND = (sys.executable, "-m", "studio.gateway", "--gateway-id", "gw-1", "--environment", "staging")
DOCUMENT = openapi_document()
MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (contract.DeploymentResource, contract.DeploymentList, contract.Health, contract.Problem)
}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


class ContractClient:
    """Speaks to a gateway by key, and fails where an answer is not one that the document allows."""

    def __init__(self, session: aiohttp.ClientSession, *, gateway_id: str, environment: str) -> None:
        self.session = session
        self.gateway_id = gateway_id
        self.environment = environment
        self.organization_id = f"org-{uuid.uuid4()}"

    def body(self, **changes: Any) -> dict[str, object]:
        return {
            "organization_id": self.organization_id,
            "agent_id": "agent-1",
            "version": "1",
            "digest": "sha256:1",
            "environment": self.environment,
            "gateway_id": self.gateway_id,
            "source_deployment_id": "dep-1",
            **changes,
        }

    async def put(self, key: str, *, token: int | str | None = None, raw: bytes | None = None, **changes: Any) -> Reply:
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Fencing-Token"] = str(token)
        data = json.dumps(self.body(**changes)).encode() if raw is None else raw
        return await self.ask("PUT", f"/deployments/{key}", data=data, headers=headers)

    async def get(self, key: str) -> Reply:
        return await self.ask("GET", f"/deployments/{key}")

    async def delete(self, key: str, *, token: int | None = None) -> Reply:
        headers = {} if token is None else {"Fencing-Token": str(token)}
        return await self.ask("DELETE", f"/deployments/{key}", headers=headers)

    async def page(self, **query: str) -> Reply:
        return await self.ask("GET", "/deployments", params={"organization_id": self.organization_id, **query})

    async def live_keys(self) -> list[str]:
        return [item["deployment_id"] for item in (await self.page(status="live")).json["items"]]

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        async with self.session.request(method, path, allow_redirects=False, **options) as response:
            reply = Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read())
        check_documented(method, path, reply)
        return reply


def check_documented(method: str, path: str, reply: Reply) -> None:
    template = "/deployments/{promotion_id}" if path.startswith("/deployments/") else path
    documented = DOCUMENT["paths"][template][method.lower()]["responses"]
    assert str(reply.status) in documented, f"{method} {template} → {reply.status} is not in the contract"
    content = documented[str(reply.status)].get("content")
    if content is None:
        assert reply.body == b""
        return
    media_type = reply.headers["content-type"]
    assert media_type in content
    if "$ref" in content[media_type]["schema"]:
        name = content[media_type]["schema"]["$ref"].rsplit("/", 1)[-1]
        MODELS[name].model_validate_json(reply.body)
        assert set(reply.json) == set(MODELS[name].model_fields)
    if media_type == "application/problem+json":
        assert reply.json["status"] == reply.status
        assert f"`{reply.code}`" in documented[str(reply.status)]["description"]


@asynccontextmanager
async def connected(url: str, *, credential: str | None = None) -> AsyncIterator[ContractClient]:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    async with aiohttp.ClientSession(url, headers=headers, timeout=aiohttp.ClientTimeout(total=10)) as session:
        async with session.get("/healthz") as response:
            health = await response.json()
        yield ContractClient(session, gateway_id=health["gateway_id"], environment=health["environment"])


@asynccontextmanager
async def gateway_process(
    log: Path, *arguments: str, before_start: Callable[[], None] | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """A gateway in its own process, with what it said when it was ready: nothing, where it could not start."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--log", str(log), *arguments, stdout=pipe, stderr=pipe, preexec_fn=before_start
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield process, json.loads(line or b"{}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def scripted(tmp_path: Path, *rules: dict[str, object]) -> AsyncIterator[tuple[ReferenceGateway, ContractClient]]:
    script = Script.model_validate({"rules": rules})
    log = tmp_path / "gateway.log"
    async with (
        ReferenceGateway(log=log, gateway_id="gw-1", environment="staging", script=script) as gateway,
        connected(gateway.url) as client,
    ):
        yield gateway, client
