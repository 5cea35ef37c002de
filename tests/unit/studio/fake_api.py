"""A fake of the HTTP API: keeps one promotion in memory, walks a script of states, and remembers what it was asked."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PROMOTION_ID = str(uuid.UUID(int=7))
KEY = "pk_test_key"


def promotion(**fields: Any) -> dict[str, Any]:
    return {
        "id": PROMOTION_ID,
        "organization_id": "acme",
        "agent_id": "agent-123",
        "source_deployment_id": "dep-456",
        "target_gateway_id": "gw-789",
        "source_environment": "staging",
        "target_environment": "production",
        "deployment_version": "1.2.3",
        "digest": None,
        "origin": "user",
        "status": "pending",
        "status_reason": "evaluating",
        "status_message": "the rules are being evaluated",
        "requires_approval": None,
        "required_approvers": None,
        "votes": [],
        "rules": [],
        "execution": "automatic",
        "approved_by": None,
        "approved_at": None,
        "rejection_reason": None,
        "target_deployment_id": None,
        "created_by": "user-1",
        "created_at": "2026-01-02T03:04:05Z",
        "expires_at": None,
        "completed_at": None,
        "version": 1,
    } | fields


COMPLETED = promotion(
    status="completed",
    status_reason="deployed",
    status_message="runs as deployment dep-new",
    target_deployment_id="dep-new",
    version=4,
)
DEPLOYMENT = {
    "deployment_id": "dep-new",
    "organization_id": "acme",
    "agent_id": "agent-123",
    "gateway_id": "gw-789",
    "environment": "production",
    "version": "1.2.3",
    "digest": None,
    "status": "active",
    "deployed_at": "2026-01-02T03:05:05Z",
    "active_since": "2026-01-02T03:05:05Z",
    "retired_at": None,
    "promotion_id": PROMOTION_ID,
    "error": None,
}
RULE = {
    "id": str(uuid.UUID(int=9)),
    "organization_id": "acme",
    "name": "two people",
    "source_environment": "staging",
    "target_environment": "production",
    "requires_approval": True,
    "auto_promote": False,
    "required_approvers": 2,
    "conditions": None,
    "status": "active",
    "execution": "automatic",
    "expires_after_seconds": 86400,
    "target_gateway_id": None,
    "version": 3,
    "created_at": "2026-01-02T03:04:05Z",
    "created_by": "admin",
    "updated_at": "2026-01-02T03:04:05Z",
    "updated_by": "admin",
}


def problem(status: int, code: str, detail: str, **extra: Any) -> web.Response:
    document = {"type": f"urn:promotion:problem:{code}", "title": code, "status": status, "detail": detail, **extra}
    return web.json_response(document, status=status, content_type="application/problem+json")


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str]
    body: Any
    peer: Any


@dataclass
class FakeApi:
    """Answers each (method, path) with the next of its planned answers, the last one for ever."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    plans: dict[tuple[str, str], list[Callable[[], web.Response]]] = field(default_factory=dict)

    def plan(self, method: str, path: str, *answers: dict[str, Any] | Callable[[], web.Response]) -> None:
        self.plans[method, f"/api/v1{path}" if not path.startswith("/readyz") else path] = [
            answer if callable(answer) else (lambda answer=answer: web.json_response(answer)) for answer in answers
        ]

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")
        self.asked.append(Asked(request.method, request.path, dict(request.headers), dict(request.query), body, peer))
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return problem(401, "unauthenticated", "the API key is unknown")
        planned = self.plans.get((request.method, request.path))
        if planned is None:
            return problem(404, "not_found", f"there is no {request.path} that you may see")
        answer = planned.pop(0) if len(planned) > 1 else planned[0]
        return answer()

    def requests(self, method: str, path: str) -> list[Asked]:
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, f"/api/v1{path}")]


WEBHOOK = {
    "id": str(uuid.UUID(int=11)),
    "organization_id": "acme",
    "version": 3,
    "name": "Approvers",
    "url": "https://hooks.example/a",
    "filter": {"reasons": ["awaiting_approval"], "break_glass": None},
    "status": "active",
    "status_reason": None,
    "failures": 0,
    "failing_since": None,
    "last_delivered_at": None,
    "previous_secret_until": None,
    "created_at": "2026-01-02T03:04:05Z",
    "created_by": "admin",
    "updated_at": "2026-01-02T03:04:05Z",
    "updated_by": "admin",
}
DELIVERY = {
    "id": str(uuid.UUID(int=12)),
    "webhook_id": WEBHOOK["id"],
    "event_id": "event-1",
    "event": "promotion.changed",
    "promotion_id": PROMOTION_ID,
    "status": "waiting",
    "attempts": 2,
    "created_at": "2026-01-02T03:04:05Z",
    "next_attempt_at": "2026-01-02T03:05:05Z",
    "deadline_at": "2026-01-03T03:04:05Z",
    "ended_at": None,
    "last_attempt_at": "2026-01-02T03:04:15Z",
    "last_duration_ms": 12,
    "last_status": 503,
    "last_error": "the answer is 503",
    "last_answer": "come later",
}
