"""One organization's things, each of whose texts holds the canary; whoever else hears it sing was let too near."""

import base64
import re
from dataclasses import dataclass
from uuid import uuid4

from tests.integration.ingress.conftest import Door
from tests.integration.ingress.test_inventory_over_http import announce

CANARY = "canary-of-acme"
SECRET = "canary-secret-7d1f"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"canary-secret-of-a-webhook").decode()
_LETTER = (
    "INSERT INTO platform.dead_letter (id, organization_id, consumer_group, topic, kafka_partition, kafka_offset, "
    "kafka_timestamp_ms, headers, value, reason, detail, parked_at) VALUES ($1, 'acme', 'rules.tests-completed', "
    "'tests.completed', 0, 1, 0, '[]', $2, 'wrong_schema', $3, now())"
)
_FACT = (
    "INSERT INTO rules.fact (organization_id, deployment_id, field, value, observed_at, source, event_id) "
    "VALUES ('acme', $1, 'metrics.error_rate', '0.5', now() - interval '1 minute', $2, $2)"
)


@dataclass(frozen=True)
class Nest:
    """Acme's things by the name that paths give them."""

    identifiers: dict[str, str]

    def path(self, template: str, *, unknown: bool = False) -> str:
        """Fill in the identifiers, or others like them that nothing has."""

        def fill(found: re.Match[str]) -> str:
            known = self.identifiers.get(found[1], CANARY)
            if not unknown:
                return known
            return str(uuid4()) if known.count("-") == 4 else "canary-of-nobody"

        return re.sub(r"\{(\w+)[^}]*\}", fill, template)


async def build_nest(door: Door) -> Nest:
    """Give acme one of everything."""
    gateway = await _made(
        door, "/gateways",
        {"gateway_id": f"{CANARY}-gw", "name": f"{CANARY} name", "environment": "staging", "is_default": True,
         "url": f"http://{CANARY}.example:8443", "credential": SECRET},
    )  # fmt: skip
    webhook = await _made(
        door, "/webhooks",
        {"name": f"{CANARY} webhook", "url": f"http://{CANARY}.example/hook", "secret": WEBHOOK_SECRET},
    )  # fmt: skip
    delivery = await _made(door, f"/webhooks/{webhook}/test")
    hop = {"source_environment": "development", "target_environment": "staging"}
    rule = await _made(door, "/promotions/rules", {"name": f"{CANARY} rule", **hop})
    promotion = await promote(door, f"{CANARY}-dep")
    await _made(door, f"/promotions/{promotion}/approve", {"reason": CANARY}, role="approver")
    await _put(door, "/environments", {"names": ["development", "staging", "production", f"{CANARY}-env"]})
    await _put(door, "/fact-publishers", {"publishers": {"tests.*": [CANARY]}})
    await door.execute(_FACT, f"{CANARY}-dep", CANARY)
    letter = str(uuid4())
    await door.execute(_LETTER, letter, CANARY.encode(), CANARY)
    return Nest(
        {"gateway_id": gateway, "deployment_id": f"{CANARY}-dep", "agent_id": f"{CANARY}-agent", "rule_id": rule,
         "promotion_id": promotion, "letter_id": letter, "webhook_id": webhook, "delivery_id": delivery},
    )  # fmt: skip


async def promote(door: Door, deployment_id: str) -> str:
    """Deploy something of acme in development and ask for it in staging; give the promotion's id."""
    agent_id = deployment_id.replace("-dep", "-agent")
    await announce(
        door, {"deployment_id": deployment_id, "agent_id": agent_id, "gateway_id": f"{CANARY}-dev",
               "environment": "development", "version": CANARY, "digest": CANARY},
    )  # fmt: skip
    body = {"agent_id": agent_id, "source_deployment_id": deployment_id, "target_environment": "staging"}
    return await _made(door, "/promotions", body)


async def _made(door: Door, path: str, body: object = None, *, role: str = "admin") -> str:
    answer = await door.call("POST", f"/api/v1{path}", body, role=role)
    assert answer.status in {200, 201, 202}, (path, answer.body)
    return str(answer.body.get("id") or answer.body["gateway_id"])


async def _put(door: Door, path: str, body: object) -> None:
    answer = await door.call("PUT", f"/api/v1{path}", body)
    assert answer.status == 200, (path, answer.body)
