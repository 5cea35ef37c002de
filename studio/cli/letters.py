"""Commands about dead letters, records that no service could handle: list, show, replay, discard."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from studio.cli.exits import UsageError
from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, show_one, show_rows

app = App(name="dead", help="Records that no service could handle.")

COLUMNS = (
    Column("ID", "id"),
    Column("STATE", "state"),
    Column("PARKED", "parked_at"),
    Column("TOPIC", "topic"),
    Column("POSITION", lambda row: f"{row['partition']}/{row['offset']}"),
    Column("GROUP", "consumer_group"),
    Column("REASON", "reason"),
    Column("DETAIL", "detail"),
)
DETAILS = (
    *COLUMNS[:3],
    Column("handled by", "handled_by"),
    Column("why discarded", "discard_reason"),
    *COLUMNS[3:6],
    Column("organization", "organization_id"),
    *COLUMNS[6:],
    Column("size", lambda row: f"{row['size_bytes']} bytes"),
    Column("headers", lambda row: {header["name"]: header["text"] for header in row["headers"]}),
    Column("value", "preview"),
)
Ids = Annotated[list[str], Parameter(negative="", help="The letters' ids.")]
Topic = Annotated[str | None, Parameter(help="Only those of this topic.")]
Reason = Annotated[str | None, Parameter(help="Only those parked for this reason, a code such as invalid_data.")]
Group = Annotated[str | None, Parameter(help="Only those that this consumer group parked.")]


@app.command(name="list")
async def list_(
    *,
    topic: Topic = None,
    reason: Reason = None,
    group: Group = None,
    state: Literal["parked", "replayed", "discarded", "any"] = "parked",
    limit: int = 50,
    cursor: str | None = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """List dead letters, newest first.

    Parameters
    ----------
    state
        Only those with which this was done: nothing (parked), or replayed, or discarded.
    limit
        How many at most.
    cursor
        Where to go on, as the page before said.
    """
    query = {
        "topic": topic,
        "reason": reason,
        "group": group,
        "state": None if state == "any" else state,
        "limit": limit,
        "cursor": cursor,
    }
    async with api.client() as client:
        page = await client.raw("GET", "/dead-letters", query=query)
    show_rows(page["items"], COLUMNS, output, whole=page)
    if page["next_cursor"] is not None and output == "table":
        note(f"there are more: --cursor {page['next_cursor']}")


@app.command
async def show(
    letter: Annotated[str, Parameter(help="The letter's id.")], /, *, output: Output = "table", api: Api = HERE
) -> None:
    """Show a dead letter; with -o json its bytes too."""
    async with api.client() as client:
        found = await client.raw("GET", _path(letter))
    show_one(found, DETAILS, output)


@app.command
async def replay(
    letters: Annotated[list[str] | None, Parameter(negative="", help="The letters' ids.")] = None,
    /,
    *,
    every: Annotated[bool, Parameter(name="--all", negative="")] = False,
    topic: Topic = None,
    reason: Reason = None,
    group: Group = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """Send dead letters again, byte for byte: those that are named, or all that fit.

    Parameters
    ----------
    every
        All that --topic, --reason and --group leave, oldest first; those that fail again are not sent a second time.
    """
    wanted = {"topic": topic, "reason": reason, "group": group}
    if bool(letters) == (every or any(wanted.values())):
        raise UsageError("name the letters, or say which: --all, --topic, --reason, --group")
    async with api.client() as client:
        if letters:
            rows = [await client.raw("POST", f"{_path(letter)}/replay") for letter in letters]
            show_rows(rows, COLUMNS, output)
            return
        body = {name: value for name, value in wanted.items() if value is not None}
        body["parked_before"] = datetime.now(UTC).isoformat()
        replayed = 0
        more = True
        while more:
            page: dict[str, Any] = await client.raw("POST", "/dead-letters/replay", body=body)
            replayed += page["replayed"]
            more = page["more"] and page["replayed"] > 0
    note(f"{replayed} are sent again")


@app.command
async def discard(letters: Ids, /, *, reason: str, output: Output = "table", api: Api = HERE) -> None:
    """Discard dead letters: nobody will handle them; their bytes are kept.

    Parameters
    ----------
    reason
        Why; people will read it.
    """
    async with api.client() as client:
        rows = [await client.raw("POST", f"{_path(letter)}/discard", body={"reason": reason}) for letter in letters]
    show_rows(rows, COLUMNS, output)


def _path(letter: str) -> str:
    return f"/dead-letters/{quote(letter, safe='')}"
