"""The command that shows what runs where: board."""

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, show_rows

Json = Mapping[str, Any]


async def board(
    *,
    agent: str | None = None,
    moving: Annotated[bool, Parameter(negative="")] = False,
    limit: int = 20,
    cursor: str | None = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """Show what runs where, agent by agent, with what is under way or went wrong.

    Parameters
    ----------
    agent
        Part of the agents' names.
    moving
        Only agents of which something is under way.
    limit
        How many agents at most.
    cursor
        Where to go on, as the page before said.
    """
    query = {"agent": agent, "moving": "true" if moving else None, "limit": limit, "cursor": cursor}
    async with api.client() as client:
        page = await client.raw("GET", "/board", query=query)
        order = (await client.get_environments()).names if output == "table" else []
    show_rows(page["items"], (Column("AGENT", "agent_id"), *(_column(name) for name in order)), output, whole=page)
    if page["next_cursor"] is not None and output == "table":
        note(f"there are more: --cursor {page['next_cursor']}")


def _column(environment: str) -> Column:
    def cell(agent: Json) -> str:
        slots = [slot for slot in agent["slots"] if slot["environment"] == environment]
        return "; ".join(_slot(slot, is_alone=len(slots) == 1) for slot in slots) or "-"

    return Column(environment.upper(), cell)


def _slot(slot: Json, *, is_alone: bool) -> str:
    live, under_way, trouble = slot["live"], slot["under_way"], slot["trouble"]
    said = ["nothing" if live is None else live["version"]]
    if under_way is not None:
        said.append(f"→ {_promotion(under_way)}")
    if trouble is not None:
        said.append(f"✗ {_promotion(trouble)}")
    place = "" if is_alone or slot["gateway_id"] is None else f"{slot['gateway_id']}: "
    return place + " ".join(said)


def _promotion(promotion: Json) -> str:
    version = promotion["deployment_version"] or "a version"
    if promotion["status_reason"] == "awaiting_approval":
        return f"{version} waits for approval {promotion['approvals']} of {promotion['required_approvers']}"
    return f"{version} {promotion['status']} ({promotion['status_reason']})"
