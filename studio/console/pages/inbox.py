"""What waits for a person, and deciding on several at once."""

import asyncio
from collections.abc import Iterable
from typing import Any

from fastapi import Request as HttpRequest
from fastapi import Response

from studio.console.api import segment
from studio.console.forms import read_form
from studio.console.pages.explaining import explanation_of
from studio.console.pages.routes import page_routes
from studio.console.views import inbox
from studio.console.views.words import counted
from studio.console.visits import Visit, Visiting
from studio.problems import ApiError

routes = page_routes()

# Each is explained, which is a call of its own, and shown with its dialogs: as many as keep the page small.
SHOWN = 5
_WAITING = ("awaiting_approval", "conditions_unmet", "awaiting_execute")


@routes.get("/inbox")
async def show(visit: Visiting) -> Response:
    """Show what waits: first what this person may decide, then the rest with what stands in the way."""
    pages = await asyncio.gather(
        *(visit.api.get("/promotions", {"status_reason": reason, "limit": SHOWN}) for reason in _WAITING)
    )
    to_approve, unmet, to_execute = (page["items"] for page in pages)
    pending = [*to_approve, *(promotion for promotion in unmet if promotion["status"] == "pending")]
    # Who has waited longest stands first.
    found = sorted(pending, key=lambda promotion: str(promotion["created_at"]))
    requests = await _requests(visit, found[:SHOWN])
    return await visit.page(
        "inbox.html",
        mine=[request for request in requests if request.is_mine],
        others=[request for request in requests if not request.is_mine],
        to_execute=to_execute,
        more=len(found) > SHOWN or any(page["next_cursor"] for page in pages),
    )


async def _requests(visit: Visit, promotions: list[Any]) -> list[inbox.Request]:
    agents = sorted({promotion["agent_id"] for promotion in promotions})
    slots, *explanations = await asyncio.gather(
        _slots(visit, agents), *(explanation_of(visit, promotion["id"]) for promotion in promotions)
    )
    return [
        inbox.request(
            visit.principal,
            promotion,
            slots=slots.get(promotion["agent_id"], []),
            explanation=explanation,
            now=visit.now,
        )
        for promotion, explanation in zip(promotions, explanations, strict=True)
    ]


async def _slots(visit: Visit, agents: list[str]) -> dict[str, Any]:
    if not agents:
        return {}
    page = await visit.api.get("/board", {"agent_id": agents, "limit": len(agents)})
    return {agent["agent_id"]: agent["slots"] for agent in page["items"]}


@routes.post("/inbox/{decision}")
async def decide(visit: Visiting, request: HttpRequest, decision: str) -> Response:
    """Approve or reject everything that is checked; say what came of each."""
    form = await read_form(request)
    chosen = form.all("promotion")
    if decision not in {"approve", "reject"} or not chosen:
        return visit.go("/inbox", "Nothing was chosen. Check what you want to decide on first.", "trouble")
    if len(chosen) > SHOWN:
        return visit.go("/inbox", f"{len(chosen)} are too many at once. Choose {SHOWN} at most.", "trouble")
    body = {"reason": form.text("reason")} if decision == "reject" else {}
    answers = await asyncio.gather(
        *(visit.api.send("POST", f"/promotions/{segment(chosen_id)}/{decision}", body) for chosen_id in chosen),
        return_exceptions=True,
    )
    return visit.go("/inbox", *_told(decision, answers))


def _told(decision: str, answers: Iterable[Any]) -> tuple[str, Any]:
    done, refused = 0, []
    for answer in answers:
        if isinstance(answer, ApiError):
            refused.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            done += 1
    said = f"Your vote to {decision} is recorded for {counted(done, 'promotion')}."
    if not refused:
        return said, "done"
    return f"{said} Not for {counted(len(refused), 'other')}: {'; '.join(dict.fromkeys(refused))}", "trouble"
