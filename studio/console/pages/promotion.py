"""Promotions: the list, one with its whole story, and the commands on it."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from schemas.vocabulary import PromotionStatus
from studio.console.api import segment
from studio.console.forms import Form, read_form
from studio.console.pages.explaining import explanation_of
from studio.console.pages.routes import page_routes
from studio.console.security import local_path
from studio.console.views import inbox, permissions
from studio.console.views.commands import told
from studio.console.views.explanation import conditions_unmet, evaluated, tree
from studio.console.views.timeline import Moment, moments
from studio.console.visits import Visit, Visiting
from studio.problems import ApiError, Gone

routes = page_routes()

SHOWN = 25
_COMMANDS = frozenset({"approve", "reject", "cancel", "execute", "break-glass"})


@routes.get("/promotions")
async def list_all(
    visit: Visiting, status: str = "", agent_id: str = "", target_environment: str = "", cursor: str = ""
) -> Response:
    """List promotions, newest first; the filter is in the address."""
    kept = {"status": status, "agent_id": agent_id, "target_environment": target_environment}
    environments, page = await asyncio.gather(
        visit.api.get("/environments"), visit.api.get("/promotions", {**kept, "cursor": cursor, "limit": SHOWN})
    )
    following = page["next_cursor"] and "/promotions?" + urlencode(
        {**{name: value for name, value in kept.items() if value}, "cursor": page["next_cursor"]}
    )
    return await visit.page(
        "promotions.html",
        promotions=page["items"],
        environments=environments["names"],
        statuses=[str(known) for known in PromotionStatus],
        kept=kept,
        following=following,
    )


@routes.get("/promotions/{promotion_id}")
async def show(visit: Visiting, promotion_id: str) -> Response:
    """Show one promotion: where it stands, why, what can be done, what happened."""
    path = f"/promotions/{segment(promotion_id)}"
    promotion, (timeline, let_go), explanation = await asyncio.gather(
        visit.api.get(path), _timeline(visit, path), explanation_of(visit, promotion_id)
    )
    principal = visit.principal
    return await visit.page(
        "promotion.html",
        promotion=promotion,
        votes=inbox.votes(promotion),
        trees=[(rule, [tree(rule["tree"], visit.now)]) for rule in evaluated(explanation)],
        explanation=explanation,
        conditions_unmet=conditions_unmet(explanation),
        timeline=timeline,
        let_go=let_go,
        why_not={
            "approve": permissions.why_not_approve(principal, promotion),
            "reject": permissions.why_not_reject(principal, promotion),
            "cancel": permissions.why_not_cancel(principal, promotion),
            "execute": permissions.why_not_execute(principal, promotion),
        },
        offered=_offered(promotion),
        may_break_glass=permissions.may_break_glass(principal, promotion),
    )


async def _timeline(visit: Visit, path: str) -> tuple[list[Moment], str | None]:
    """Give the moments; where they were let go, none and what the API says of it."""
    try:
        history = await visit.api.get(f"{path}/history")
    except Gone as gone:
        return [], str(gone)
    return moments(history["items"]), None


@routes.post("/promotions/{promotion_id}/{command}")
async def act(visit: Visiting, request: Request, promotion_id: str, command: str) -> Response:
    """Carry out a command and go back to where it was given; say what came of it."""
    form = await read_form(request)
    back = local_path(form.text("back") or f"/promotions/{segment(promotion_id)}")
    if command not in _COMMANDS:
        return visit.go(back, "There is no such command.", "trouble")
    try:
        promotion = await visit.api.send("POST", f"/promotions/{segment(promotion_id)}/{command}", _body(command, form))
    except ApiError as error:
        return visit.go(back, str(error), "trouble")
    return visit.go(back, told(command, promotion))


def _offered(promotion: dict[str, Any]) -> list[str]:
    if promotion["status"] == "pending":
        return ["approve", "reject", "cancel"]
    return ["execute", "cancel"] if promotion["status_reason"] == "awaiting_execute" else ["cancel"]


def _body(command: str, form: Form) -> dict[str, object]:
    reason = form.text("reason")
    if command == "approve" and form.checked("override_conditions"):
        return {"override_conditions": True, "reason": reason}
    return {"reason": reason} if command in {"reject", "break-glass"} or (command == "cancel" and reason) else {}
