"""Commands about webhooks: list, show, create, update, enable, disable, rotate-secret, test, deliveries, …"""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from studio.cli.exits import UsageError
from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, show_one, show_rows

app = App(name="webhooks", help="Addresses that are told of changes, signed.")

COLUMNS = (
    Column("ID", "id"),
    Column("NAME", "name"),
    Column("URL", "url"),
    Column("STATUS", "status"),
    Column("FAILURES", "failures"),
    Column("DELIVERED", "last_delivered_at"),
    Column("FILTER", lambda row: _filter(row)),
)
DETAILS = (
    *COLUMNS[:4],
    Column("why disabled", "status_reason"),
    *COLUMNS[4:5],
    Column("failing since", "failing_since"),
    *COLUMNS[5:],
    Column("old secrets until", "previous_secret_until"),
    Column("created", lambda row: f"{row['created_at']} by {row['created_by']}"),
    Column("updated", lambda row: f"{row['updated_at']} by {row['updated_by']}"),
)
SECRET = Column("secret", "secret")
DELIVERIES = (
    Column("ID", "id"),
    Column("EVENT", "event"),
    Column("PROMOTION", "promotion_id"),
    Column("STATUS", "status"),
    Column("ATTEMPTS", "attempts"),
    Column("CREATED", "created_at"),
    Column("NEXT", "next_attempt_at"),
    Column("ANSWER", "last_status"),
    Column("ERROR", "last_error"),
)
DELIVERY = (
    *DELIVERIES,
    Column("event id", "event_id"),
    Column("deadline", "deadline_at"),
    Column("ended", "ended_at"),
    Column("last attempt", "last_attempt_at"),
    Column("took", lambda row: None if row["last_duration_ms"] is None else f"{row['last_duration_ms']} ms"),
    Column("answer began", "last_answer"),
    Column("body", "body"),
)
Id = Annotated[str, Parameter(help="The webhook's id.")]
Names = Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)]


@app.command(name="list")
async def list_(*, output: Output = "table", api: Api = HERE) -> None:
    """List the webhooks and how they do."""
    async with api.client() as client:
        rows = [webhook.model_dump(mode="json") for webhook in await client.webhooks.list_all()]
    show_rows(rows, COLUMNS, output)


@app.command
async def show(webhook: Id, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Show one webhook; its secret is not shown again."""
    async with api.client() as client:
        found = await client.webhooks.get(webhook)
    show_one(found.model_dump(mode="json"), DETAILS, output)


@app.command
async def create(
    name: str,
    url: str,
    /,
    *,
    status: Names = None,
    reason: Names = None,
    to: Names = None,
    agent: Names = None,
    break_glass: Annotated[bool, Parameter(negative="")] = False,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """Register an address that is told of changes of promotions. The secret is shown now and never again.

    Parameters
    ----------
    name
        What people call it.
    url
        The address.
    status
        Only changes to this status; may be given more than once, as the others.
    reason
        Only changes to this reason, such as awaiting_approval.
    to
        Only promotions to this environment.
    agent
        Only promotions of this agent.
    break_glass
        Only where an administrator approved alone.
    """
    wanted: dict[str, Any] = {"statuses": status, "reasons": reason, "target_environments": to, "agent_ids": agent}
    if break_glass:
        wanted["break_glass"] = True
    body = {"name": name, "url": url, "filter": {field: value for field, value in wanted.items() if value}}
    async with api.client() as client:
        made = await client.webhooks.create(body)
    show_one(made.model_dump(mode="json"), (*DETAILS[:1], SECRET, *DETAILS[1:]), output)


@app.command
async def update(
    webhook: Id, /, *, name: str | None = None, address: str | None = None, output: Output = "table", api: Api = HERE
) -> None:
    """Change a webhook's name or address; its filter and its secret stay.

    Parameters
    ----------
    name
        What people call it.
    address
        The URL that is told.
    """
    changes = {field: value for field, value in (("name", name), ("url", address)) if value is not None}
    if not changes:
        raise UsageError("say what to change: --name, --address")
    await _change(webhook, changes, output=output, api=api)


@app.command
async def enable(webhook: Id, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Have a webhook told of what happens from now on, and of what still waits for it."""
    await _change(webhook, {"status": "active"}, output=output, api=api)


@app.command
async def disable(webhook: Id, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Send nothing to a webhook any more."""
    await _change(webhook, {"status": "disabled"}, output=output, api=api)


@app.command
async def delete(webhook: Id, /, *, api: Api = HERE) -> None:
    """Delete a webhook and the log of its deliveries."""
    async with api.client() as client:
        await client.webhooks.delete(webhook)
    note(f"webhook {webhook} is deleted")


@app.command(name="rotate-secret")
async def rotate_secret(
    webhook: Id, /, *, overlap_seconds: int = 86_400, output: Output = "table", api: Api = HERE
) -> None:
    """Give a webhook a new secret, which is shown now and never again.

    Parameters
    ----------
    overlap_seconds
        For so long the secret that it has now signs too; 0 ends it and every older one at once.
    """
    async with api.client() as client:
        rotated = await client.webhooks.rotate_secret(webhook, overlap_seconds=overlap_seconds)
    show_one(rotated.model_dump(mode="json"), (*DETAILS[:1], SECRET, *DETAILS[1:]), output)


@app.command(name="test")
async def send_test(webhook: Id, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Send a webhook something that only shows that it is reached; the log shows what comes of it."""
    async with api.client() as client:
        sent = await client.webhooks.test(webhook)
    show_rows([sent.model_dump(mode="json")], DELIVERIES, output)


@app.command
async def deliveries(
    webhook: Id,
    delivery: Annotated[str | None, Parameter(help="The one delivery to show whole.")] = None,
    /,
    *,
    status: Literal["waiting", "delivered", "failed"] | None = None,
    limit: int = 50,
    cursor: str | None = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """List what was sent and what waits, newest first.

    Parameters
    ----------
    status
        Only those of which this became.
    limit
        How many at most.
    cursor
        Where to go on, as the page before said.
    """
    async with api.client() as client:
        if delivery is not None:
            show_one((await client.webhooks.delivery(webhook, delivery)).model_dump(mode="json"), DELIVERY, output)
            return
        page = (await client.webhooks.deliveries(webhook, status=status, limit=limit, cursor=cursor)).model_dump(
            mode="json"
        )
    show_rows(page["items"], DELIVERIES, output, whole=page)
    if page["next_cursor"] is not None and output == "table":
        note(f"there are more: --cursor {page['next_cursor']}")


@app.command
async def redeliver(
    webhook: Id,
    deliveries: Annotated[list[str], Parameter(negative="", help="The deliveries' ids.")],
    /,
    *,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """Send deliveries again, whatever became of them."""
    async with api.client() as client:
        sent = [await client.webhooks.redeliver(webhook, delivery) for delivery in deliveries]
    show_rows([each.model_dump(mode="json") for each in sent], DELIVERIES, output)


async def _change(webhook: str, changes: dict[str, Any], *, output: Output, api: Api) -> None:
    async with api.client() as client:
        current = await client.webhooks.get(webhook)
        fields = current.model_dump(mode="json")
        body = {name: fields[name] for name in ("name", "url", "filter", "status")} | changes
        changed = await client.webhooks.replace(webhook, body, version=current.version)
    show_one(changed.model_dump(mode="json"), DETAILS, output)


def _filter(row: Any) -> str:
    given = {name: value for name, value in row["filter"].items() if value is not None}
    shown = (f"{name}: {', '.join(value) if isinstance(value, list) else value}" for name, value in given.items())
    return "; ".join(shown) or "everything"
