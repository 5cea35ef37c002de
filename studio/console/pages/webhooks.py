"""Webhooks, for administrators: who is told of what, whether it is taken, and what was sent lately."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from studio.console.api import segment
from studio.console.forms import Form, read_form
from studio.console.pages.routes import page_routes
from studio.console.views.webhooks import OFFERED, delivery_standing, filter_of, listed
from studio.console.visits import Visit, Visiting
from studio.problems import ApiError, Conflict, Forbidden
from studio.transport import if_match

routes = page_routes()

SHOWN = 200
DELIVERIES_SHOWN = 25
# A quick receiver has answered before the page is shown again.
LOOKS, LOOK_SECONDS = 8, 0.1
_TOLD = {
    "enable": "It is told of what happens from now on.",
    "disable": "Nothing is sent to it any more.",
}
_STATUSES = {"enable": "active", "disable": "disabled"}
# For how long the secret that it has now goes on signing.
_OVERLAPS_SECONDS = {"day": 86_400, "now": 0}


@routes.get("/webhooks")
async def list_all(visit: Visiting) -> Response:
    """List the webhooks and how they do."""
    try:
        page = await visit.api.get("/webhooks", {"limit": SHOWN})
    except Forbidden as error:
        return await visit.page("webhooks.html", refused=str(error), webhooks=[])
    return await visit.page("webhooks.html", refused="", webhooks=[listed(item) for item in page["items"]])


@routes.get("/webhooks/new")
async def begin(visit: Visiting) -> Response:
    """Begin a new webhook."""
    return await _form(visit, {})


@routes.post("/webhooks/save")
async def create(visit: Visiting, request: Request) -> Response:
    """Register a webhook; show its secret, this once."""
    form = await read_form(request)
    written = {name: form.text(name) for name in ("name", "url", "of", "environment")}
    wanted = filter_of(written["of"], written["environment"])
    try:
        body = {"name": written["name"], "url": written["url"], "filter": wanted}
        made = await visit.api.send("POST", "/webhooks", body)
    except ApiError as error:
        return await _form(visit, written, wrong=_wrong(error), status=error.status)
    return await _secret(visit, made)


@routes.get("/webhooks/{webhook_id}")
async def show(visit: Visiting, webhook_id: str, cursor: str = "") -> Response:
    """Show one webhook with what was sent lately."""
    path = f"/webhooks/{segment(webhook_id)}"
    webhook, page = await asyncio.gather(
        visit.api.get(path), visit.api.get(f"{path}/deliveries", {"limit": DELIVERIES_SHOWN, "cursor": cursor})
    )
    following = page["next_cursor"] and f"{path}?" + urlencode({"cursor": page["next_cursor"]})
    return await visit.page(
        "webhook.html",
        item=listed(webhook),
        deliveries=[(delivery, delivery_standing(delivery)) for delivery in page["items"]],
        following=following,
    )


@routes.post("/webhooks/{webhook_id}/{command}")
async def act(visit: Visiting, request: Request, webhook_id: str, command: str) -> Response:
    """Try a webhook out, switch it on or off, give it a new secret, delete it."""
    form = await read_form(request)
    here = f"/webhooks/{segment(webhook_id)}"
    try:
        if command == "rotate-secret":
            return await _rotated(visit, here, form)
        if command == "delete":
            await visit.api.send("DELETE", here)
            return visit.go("/webhooks", "The webhook is deleted.")
        if command == "test":
            return await _sent(visit, here, await visit.api.send("POST", f"{here}/test"))
        if command not in _STATUSES:
            return visit.go(here, "There is no such command.", "trouble")
        webhook = await visit.api.get(here)
        kept = {name: webhook[name] for name in ("name", "url", "filter")}
        changed = {**kept, "status": _STATUSES[command]}
        await visit.api.send("PUT", here, changed, headers=if_match(webhook["version"]))
    except ApiError as error:
        return visit.go(here, str(error), "trouble")
    return visit.go(here, _TOLD[command])


@routes.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver")
async def redeliver(visit: Visiting, webhook_id: str, delivery_id: str) -> Response:
    """Send a delivery again."""
    here = f"/webhooks/{segment(webhook_id)}"
    try:
        path = f"{here}/deliveries/{segment(delivery_id)}/redeliver"
        return await _sent(visit, here, await visit.api.send("POST", path))
    except ApiError as error:
        return visit.go(here, str(error), "trouble")


async def _rotated(visit: Visit, here: str, form: Form) -> Response:
    overlap_seconds = _OVERLAPS_SECONDS.get(form.text("old_secret"))
    if overlap_seconds is None:
        return visit.go(here, "Say when the old secret ends, and ask again.", "trouble")
    # A page that is loaded again is sent again: a second secret would be one that nobody has seen.
    try:
        body, headers = {"overlap_seconds": overlap_seconds}, if_match(form.text("version"))
        made = await visit.api.send("POST", f"{here}/rotate-secret", body, headers=headers)
    except Conflict as error:
        if error.code != "version_mismatch":
            raise
        return visit.go(
            here, "It was changed meanwhile. Look at it, and ask for a new secret if you still want one.", "trouble"
        )
    return await _secret(visit, made)


async def _sent(visit: Visit, here: str, delivery: Any) -> Response:
    """Say what came of what was just sent, as far as it is known soon."""
    path = f"{here}/deliveries/{segment(delivery['id'])}"
    for _ in range(LOOKS):
        if delivery["status"] == "delivered":
            return visit.go(here, f"It is taken: the answer is {delivery['last_status']}.")
        if delivery["attempts"] and delivery["last_error"] is not None:
            return visit.go(here, f"It is not taken: {delivery['last_error']}.", "trouble")
        await asyncio.sleep(LOOK_SECONDS)
        delivery = await visit.api.get(path)
    return visit.go(here, "It is on its way. What comes of it will show below.")


async def _form(
    visit: Visit, written: dict[str, str], *, wrong: dict[str, str] | None = None, status: int = 200
) -> Response:
    environments = await visit.api.get("/environments")
    return await visit.page(
        "webhook_new.html",
        status=status,
        written={"name": "", "url": "", "of": "waiting", "environment": "", **written},
        wrong=wrong or {},
        offered=[(value, words) for value, (words, _) in OFFERED.items()],
        environments=environments["names"],
    )


async def _secret(visit: Visit, webhook: dict[str, Any]) -> Response:
    return await visit.page("webhook_secret.html", webhook=webhook)


def _wrong(error: ApiError) -> dict[str, str]:
    """Put what the API found wrong beside the field that it is about, the rest at the top."""
    items = error.problem.get("errors") or []
    placed = {item["path"].lstrip("/"): f"{item['message']}; {item['hint']}" for item in items}
    known = {name: said for name, said in placed.items() if name in {"name", "url"}}
    return known or {"": str(error)}
