"""The HTTP API as these tests call it: plain requests with one identity's key."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp


class Caller:
    """One identity of the local stack."""

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}

    async def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send one request below /api/v1; give status and parsed body."""
        async with aiohttp.ClientSession(headers=self._headers) as session:
            url = f"{self._base_url}/api/v1{path}"
            async with session.request(method, url, json=body, headers=headers) as response:
                parsed = await response.json(content_type=None) if response.content_length != 0 else None
                return response.status, parsed

    async def get(self, path: str) -> Any:
        status, body = await self.request("GET", path)
        assert status == 200, (status, body)
        return body

    async def post(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        status, answer = await self.request("POST", path, body, headers)
        assert 200 <= status < 300, (status, answer)
        return answer

    async def until(self, path: str, *, seconds: float = 30.0, **wanted: object) -> Any:
        """Read ``path`` until it has the ``wanted`` fields."""
        async with asyncio.timeout(seconds):
            while True:
                status, body = await self.request("GET", path)
                if status == 200 and all(body.get(name) == value for name, value in wanted.items()):
                    return body
                await asyncio.sleep(0.05)


def caller(ready: Mapping[str, Any], identity: str) -> Caller:
    return Caller(ready["api"], ready["tokens"][identity])


def deployment_event(deployment_id: str, agent_id: str, environment: str, **data: object) -> dict[str, object]:
    """Announce a deployment, as an upstream service would over HTTP."""
    return {
        "specversion": "1.0",
        "id": f"announce-{deployment_id}",
        "source": "/upstream/acme",
        "type": "studio.deployment.completed.v1",
        "time": "2026-01-01T00:00:00Z",
        "data": {
            "organization_id": "acme",
            "deployment_id": deployment_id,
            "agent_id": agent_id,
            "environment": environment,
            "gateway_id": f"gw-{environment}",
            "version": "2.4.0",
            "status": "succeeded",
            "deployed_at": "2026-01-01T00:00:00Z",
            **data,
        },
    }


async def announce(admin: Caller, event: Mapping[str, object]) -> None:
    """Post ``event`` and wait until the inventory shows its deployment."""
    await admin.post("/events", event, {"Content-Type": "application/cloudevents+json"})
    data = event["data"]
    assert isinstance(data, dict)
    await admin.until(f"/deployments/{data['deployment_id']}", status="active")
