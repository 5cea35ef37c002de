"""Commands about the history of the key's organization: verify, head, list."""

import re
from typing import Annotated, Any

from cyclopts import App, Parameter

from studio.cli.exits import FAILED, OK, UsageError
from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, show_one, show_rows

app = App(name="audit", help="The history of the organization, and the proof that it is whole.")

PAGE = 1000
SAID_EVERY = 100_000
COLUMNS = (
    Column("SEQUENCE", "sequence"),
    Column("AT", "at"),
    Column("PROMOTION ID", "promotion_id"),
    Column("AGENT", "agent_id"),
    Column("TO", "target_environment"),
    Column("STATUS", "status"),
    Column("REASON", "status_reason"),
    Column("BY", lambda row: row["actor"] if row.get("via") is None else f"{row['actor']} via {row['via']}"),
    Column("MESSAGE", "status_message"),
)
HEAD = (
    Column("organization", "organization_id"),
    Column("sequence", "sequence"),
    Column("hash", "hash"),
    Column("at", "at"),
)
Anchor = Annotated[
    str | None, Parameter(help="What was kept of an earlier head, SEQUENCE:HASH; the history has to pass through it.")
]


@app.command(name="list")
async def list_(
    *,
    actor: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """List every transition and vote, newest first.

    Parameters
    ----------
    actor
        Only what this one did.
    limit
        How many at most.
    cursor
        Where to go on, as the page before said.
    """
    async with api.client() as client:
        page = await client.raw("GET", "/audit", query={"actor": actor, "limit": limit, "cursor": cursor})
    show_rows(page["items"], COLUMNS, output, whole=page)
    if page["next_cursor"] is not None and output == "table":
        note(f"there are more: --cursor {page['next_cursor']}")


@app.command
async def head(*, output: Output = "table", api: Api = HERE) -> None:
    """Print the end of the history: keep it where nobody here can write, for promotion audit verify --anchor."""
    async with api.client() as client:
        found = await client.raw("GET", "/audit/head")
    show_one(found, HEAD, output)


@app.command
async def verify(*, anchor: Anchor = None, output: Output = "table", api: Api = HERE) -> int:
    """Verify that nothing in the history was changed, removed or added; status 1, and where, if it was."""
    kept = None if anchor is None else _anchor(anchor)
    async with api.client() as client:
        step: dict[str, Any] = {"sequence": 0, "hash": None, "complete": False, "broken": None}
        while not step["complete"]:
            reached = step["sequence"]
            # A page ends at the anchor, so that its hash there is seen.
            limit = min(PAGE, kept[0] - reached) if kept is not None and kept[0] > reached else PAGE
            query = {"after": reached, "hash": step["hash"], "limit": limit}
            step = await client.raw("GET", "/audit/verify", query=query)
            if kept is not None and step["sequence"] == kept[0] and step["hash"] != kept[1] and not step["broken"]:
                step |= {"complete": True, "broken": _not(kept[0], "the history was written anew: its hash is another")}
            if step["sequence"] // SAID_EVERY > reached // SAID_EVERY:
                note(f"{step['sequence']} entries hold")
    if kept is not None and step["sequence"] < kept[0] and not step["broken"]:
        step["broken"] = _not(kept[0], f"the history was cut: it ends with entry {step['sequence']}")
    broken = step["broken"]
    show_one(
        {"verified": step["sequence"], "hash": step["hash"], "broken": broken},
        (Column("verified", "verified"), Column("hash", "hash")),
        output,
    )
    if broken is not None:
        whose = f" (promotion {broken['promotion_id']})" if broken["promotion_id"] else ""
        note(f"✗ entry {broken['sequence']}{whose}: {broken['problem']}")
        return FAILED
    note(f"✓ all {step['sequence']} entries follow from one another")
    return OK


def _not(sequence: int, problem: str) -> dict[str, Any]:
    return {"sequence": sequence, "problem": problem, "promotion_id": None}


def _anchor(text: str) -> tuple[int, str]:
    read = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text)
    if read is None or int(read[1]) == 0:
        raise UsageError(f"--anchor {text!r} has to be SEQUENCE:HASH, as promotion audit head printed them")
    return int(read[1]), read[2]
