"""Executions as values, for tests to begin from."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.executor.domain.answers import Answer
from services.executor.domain.execution import Execution, ExecutionStatus, Order

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
ORDER = Order(
    organization_id="acme",
    promotion_id=UUID("6f1d3c0e-0000-4000-8000-000000000001"),
    agent_id="agent-1",
    gateway_id="gw-1",
    environment="staging",
    source_deployment_id="dep-1",
    version="1.0.0",
    digest=None,
    caused_by="event-1",
    traceparent=None,
)


def execution(**changes: Any) -> Execution:
    fields: dict[str, Any] = {
        "order": ORDER, "status": ExecutionStatus.CALLING, "epoch": 1, "attempts": 1, "doubtful": False,
        "verdict": None, "last_error": None, "received_at": START, "deadline_at": START + timedelta(minutes=15),
        "give_up_at": START + timedelta(minutes=15, seconds=30),
    }  # fmt: skip
    return Execution(**{**fields, **changes})


def deployment(**changes: Any) -> bytes:
    return json.dumps({"deployment_id": ORDER.key, **ORDER.content, "status": "live", **changes}).encode()


def answer(
    status: int, body: bytes = b"", *, content_type: str = "application/json", retry_after: str | None = None
) -> Answer:
    return Answer(status, content_type, retry_after, body)
