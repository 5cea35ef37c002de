"""An approver learns by webhook of what waits, on a running stack; and an administrator breaks the glass."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from tests.integration.studio.running import RunningStack, until

Call = tuple[dict[str, str], str]


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[Call]]]:
    """An address on this machine, and what it was told."""
    calls: list[Call] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            calls.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", calls
    server.shutdown()
    server.server_close()


def waiting(stack: RunningStack) -> str:
    """Have a promotion wait for approval; give its id."""
    deployment = f"dep-{uuid4().hex[:8]}"
    stack.announce(deployment, agent_id=deployment, environment="staging")
    until(lambda: stack.knows(deployment))
    wish = ("--agent", deployment, "--deployment", deployment, "--to", "production")
    created = stack.command("create", *wish, "-o", "json", "--wait", identity="requester")
    assert created.returncode == 8, created.stderr
    return str(json.loads(created.stdout)["id"])


def test_approvers_learn_of_what_waits_and_of_nothing_else(
    stack: RunningStack, receiver: tuple[str, list[Call]]
) -> None:
    url, calls = receiver
    made = json.loads(
        stack.command("webhooks", "create", "Approvers", url, "--reason", "awaiting_approval", "-o", "json").stdout
    )
    webhook = made["id"]
    tested = stack.command("webhooks", "test", webhook)
    until(lambda: len(calls) == 1)

    promotion = waiting(stack)
    until(lambda: len(calls) == 2)

    events = [Webhook(made["secret"]).verify(body, headers) for headers, body in calls]
    assert tested.returncode == 0, tested.stderr
    assert [event["type"] for event in events] == ["webhook.test", "promotion.changed"]
    assert events[1]["data"]["promotion_id"] == promotion
    assert events[1]["data"]["status_reason"] == "awaiting_approval"
    delivered = stack.command("webhooks", "deliveries", webhook, "--status", "delivered").stdout
    assert promotion in delivered
    again = stack.command("webhooks", "redeliver", webhook, delivered.split("\t")[0])
    until(lambda: len(calls) == 3)
    assert again.returncode == 0, again.stderr
    assert calls[2][0]["webhook-id"] in {calls[0][0]["webhook-id"], calls[1][0]["webhook-id"]}
    rotated = json.loads(stack.command("webhooks", "rotate-secret", webhook, "-o", "json").stdout)
    assert rotated["secret"] != made["secret"]
    assert stack.command("webhooks", "update", webhook, "--name", "Everybody").returncode == 0
    assert stack.command("webhooks", "disable", webhook).returncode == 0
    assert stack.command("webhooks", "test", webhook).returncode == 5
    assert stack.command("webhooks", "enable", webhook).returncode == 0
    assert "Everybody" in stack.command("webhooks", "show", webhook).stdout
    assert webhook in stack.command("webhooks", "list").stdout
    assert stack.command("webhooks", "list", identity="viewer").returncode == 4
    assert stack.command("webhooks", "show", webhook, identity="outsider").returncode == 3
    assert stack.command("webhooks", "delete", webhook).returncode == 0


def test_an_administrator_breaks_the_glass_and_it_is_told(
    stack: RunningStack, receiver: tuple[str, list[Call]]
) -> None:
    url, calls = receiver
    stack.command("webhooks", "create", "Glass", url, "--break-glass")
    promotion = waiting(stack)

    refused = stack.command("break-glass", promotion, "--reason", "me too", identity="approver")
    broken = stack.command("break-glass", promotion, "--reason", "production is down", "--wait")
    until(lambda: len(calls) == 1)

    assert refused.returncode == 4
    assert broken.returncode == 0, broken.stderr
    told = json.loads(calls[0][1])["data"]
    assert (told["promotion_id"], told["break_glass"], told["actor"]) == (promotion, True, "admin")
    assert "production is down" in stack.command("history", promotion).stdout
