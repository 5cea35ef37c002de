"""Records on every topic that is consumed: valid ones spoilt in key, headers and value."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from schemas import topics
from schemas.events import event_type
from tests.fuzz.nasties import Nasty, dump

_BASE = {"organization_id": "acme", "deployment_id": "dep-1", "agent_id": "agent"}
DATA: dict[str, dict[str, Any]] = {
    topics.PROMOTION_REQUESTED: _BASE | {
        "source_deployment_id": "dep-1", "target_environment": "staging", "created_by": "ci"},
    topics.DEPLOYMENT_COMPLETED: _BASE | {
        "environment": "development", "gateway_id": "gw-development", "version": "1", "status": "succeeded",
        "deployed_at": "2026-01-01T00:00:00Z"},
    topics.TESTS_COMPLETED: _BASE | {"suite": "s", "run_id": "r", "outcome": "success", "passed": 1, "failed": 0},
    topics.METRICS_OBSERVED: _BASE | {"metrics": {"error_rate": 0.1}},
    topics.RULES_EVALUATED: _BASE | {
        "promotion_id": str(uuid4()), "number": 1, "evaluated_at": "2026-01-01T00:00:00Z",
        "source_deployment_id": "dep-1", "source_environment": "development", "target_gateway_id": "gw-staging",
        "target_environment": "staging", "created_by": "ci", "created_at": "2026-01-01T00:00:00Z", "origin": "event",
        "deployment_version": "1", "digest": None},
    topics.PROMOTION_APPROVED: _BASE | {
        "promotion_id": str(uuid4()), "target_gateway_id": "gw-staging", "target_environment": "staging",
        "source_deployment_id": "dep-1", "deployment_version": "1", "digest": None,
        "executing_at": "2026-01-01T00:00:00Z", "version": 3},
}  # fmt: skip


async def fuzz(bootstrap: str, *, enough: Callable[[], bool], seed: int, per_second: int = 150) -> int:
    """Publish records until it is ``enough``; give how many."""
    nasty, sent = Nasty(seed), 0
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=2_000_000)
    await producer.start()
    try:
        while not enough():
            batch = [await producer.send(**_record(nasty)) for _ in range(per_second // 10)]
            await asyncio.gather(*batch)
            sent += len(batch)
            await asyncio.sleep(0.1)
    finally:
        await producer.stop()
    return sent


def _record(nasty: Nasty) -> dict[str, Any]:
    draw = nasty.random
    topic = draw.choice(tuple(DATA))
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(uuid4()).encode()),
        ("ce_source", draw.choice((b"/ci", b"/executor/acme", b"/rules/acme", b"/promotion/acme"))),
        ("ce_type", event_type(topic).encode()),
        ("ce_time", b"2026-01-01T00:00:00Z"),
        ("content-type", b"application/json"),
    ]
    kind = draw.random()
    value = (dump(DATA[topic]) if kind < 0.2 else nasty.spoil(DATA[topic])).encode("utf-8", "surrogatepass")
    if kind > 0.8:
        place = draw.randrange(len(headers))
        spoilt = (nasty.text().encode("utf-8", "surrogatepass"), b"\xff", b"", b"x" * 2000)
        headers[place] = (headers[place][0], draw.choice(spoilt))
    if kind > 0.9:
        headers = [*headers[: draw.randrange(len(headers))], ("reply_to", b"promotion.approved"), ("ce_id", b"again")]
    if kind > 0.95:
        value = draw.choice((b"", b"null", b"[" * 5000, draw.randbytes(100), b'{"a":' * 500))
    key = draw.choice((None, b"", b"\xff" * 10, f"dep-{draw.randrange(100)}".encode()))
    return {"topic": topic, "value": value, "key": key, "headers": headers}
