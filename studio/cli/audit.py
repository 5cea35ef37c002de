"""Commands about the history of the key's organization: verify, head, list; and detach, for who owns the database."""

import re
from typing import Annotated, Any

from cyclopts import App, Parameter

from studio.cli.exits import FAILED, OK, UsageError
from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, show_one, show_rows

app = App(name="audit", help="The history of the organization, and the proof that it is whole.")

app.command(
    "studio.cli.detaching:detach", name="detach", help="Let go of old months of the history, directly on the database."
)

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
    Column("cut", lambda row: row["cut"] and f"{row['cut']['sequence']}:{row['cut']['hash']}"),
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
    if output != "table":
        return
    cut, entries = page["cut"], page["items"]
    if page["next_cursor"] is not None:
        note(f"there are more: --cursor {page['next_cursor']}")
    if cut is not None and (page["next_cursor"] is None or entries[-1]["sequence"] <= cut["sequence"]):
        note(
            f"up to entry {cut['sequence']} this is not all: older months were let go, {cut['month']} the last of them"
        )


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
            if kept is not None and not step["broken"]:
                broken = _against(kept, step)
                step |= {"complete": step["complete"] or broken is not None, "broken": broken}
            if step["sequence"] // SAID_EVERY > reached // SAID_EVERY:
                note(f"{step['sequence']} entries hold")
    broken = step["broken"]
    show_one(
        {"verified": step["sequence"], "hash": step["hash"], "broken": broken, "cut": step["cut"]},
        (Column("verified", "verified"), Column("hash", "hash")),
        output,
    )
    if broken is not None:
        whose = f" (promotion {broken['promotion_id']})" if broken["promotion_id"] else ""
        note(f"✗ entry {broken['sequence']}{whose}: {broken['problem']}")
        return FAILED
    note(_whole(step))
    return OK


def _against(kept: tuple[int, str], step: dict[str, Any]) -> dict[str, Any] | None:
    """Tell what of a verified ``step`` contradicts the head that was kept elsewhere."""
    sequence, hash_ = kept
    cut = step["cut"]
    if cut is not None and sequence < cut["sequence"]:
        problem = (
            f"{cut['month']} was let go, and the history is cut at entry {cut['sequence']}: an anchor from before it "
            "proves nothing any more. Take what promotion audit detach printed then, or a later head"
        )
        return _not(sequence, problem)
    if step["sequence"] == sequence and step["hash"] != hash_:
        return _not(sequence, "the history was written anew: its hash is another")
    if step["complete"] and step["sequence"] < sequence:
        return _not(sequence, f"the history was cut: it ends with entry {step['sequence']}")
    return None


def _whole(step: dict[str, Any]) -> str:
    cut = step["cut"]
    if cut is None:
        return f"✓ all {step['sequence']} entries follow from one another"
    return (
        f"✓ whole since the cut at entry {cut['sequence']} (hash {cut['hash']}), with which {cut['month']} was let go: "
        f"all entries from there to {step['sequence']} follow from one another, and the {cut['kept']} that were kept "
        "from before it are as they were then"
    )


def _not(sequence: int, problem: str) -> dict[str, Any]:
    return {"sequence": sequence, "problem": problem, "promotion_id": None}


def _anchor(text: str) -> tuple[int, str]:
    read = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text)
    if read is None or int(read[1]) == 0:
        raise UsageError(f"--anchor {text!r} has to be SEQUENCE:HASH, as promotion audit head printed them")
    return int(read[1]), read[2]
