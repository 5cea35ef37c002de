"""Commands about promotions that decide nothing: create, list, show, history, watch."""

from typing import Annotated, Any

from cyclopts import Parameter

from studio.cli.following import follow
from studio.cli.options import HERE, Api, Output, Timeout, Wait
from studio.cli.output import Column, note, show_one, show_rows

COLUMNS = (
    Column("ID", "id"),
    Column("AGENT", "agent_id"),
    Column("VERSION", "deployment_version"),
    Column("FROM", "source_environment"),
    Column("TO", "target_environment"),
    Column("STATUS", "status"),
    Column("REASON", "status_reason"),
    Column("BY", "created_by"),
    Column("CREATED", "created_at"),
)
DETAILS = (
    Column("id", "id"),
    Column("agent", "agent_id"),
    Column("version", "deployment_version"),
    Column("digest", "digest"),
    Column("from", lambda row: f"{row['source_environment']} ({row['source_deployment_id']})"),
    Column("to", lambda row: f"{row['target_environment']} ({row['target_gateway_id']})"),
    Column("status", lambda row: f"{row['status']} ({row['status_reason']})"),
    Column("message", "status_message"),
    Column("votes", lambda row: _votes(row)),
    Column("rules", lambda row: ", ".join(f"{rule['name']} v{rule['version']}" for rule in row["rules"]) or "-"),
    Column("deployment", "target_deployment_id"),
    Column("created", lambda row: f"{row['created_at']} by {row['created_by']} ({row['origin']})"),
    Column("completed", "completed_at"),
    Column("trace", "trace_id"),
)
HISTORY = (
    Column("VERSION", "version"),
    Column("AT", "at"),
    Column("STATUS", "status"),
    Column("REASON", "status_reason"),
    Column("BY", lambda row: row["actor"] if row.get("via") is None else f"{row['actor']} via {row['via']}"),
    Column("MESSAGE", "status_message"),
)


async def create(
    *,
    agent: str,
    deployment: str,
    to: str,
    gateway: str | None = None,
    idempotency_key: str | None = None,
    wait: Wait = False,
    timeout_seconds: Timeout = 600.0,
    output: Output = "table",
    api: Api = HERE,
) -> int:
    """Ask for a promotion.

    Parameters
    ----------
    agent
        The agent.
    deployment
        The deployment that is to be promoted.
    to
        The environment to promote it to.
    gateway
        The gateway there; may be left out where there is only one that fits.
    idempotency_key
        With the same key a repeat gives the first promotion instead of another.
    """
    body: dict[str, Any] = {"agent_id": agent, "source_deployment_id": deployment, "target_environment": to}
    if gateway is not None:
        body["target_gateway_id"] = gateway
    async with api.client() as client:
        created = await client.create_promotion(body, idempotency_key=idempotency_key)
        promotion, status = created.model_dump(mode="json"), 0
        if wait:
            promotion, status = await follow(
                client, str(created.id), timeout_seconds=timeout_seconds, through_waiting=False
            )
    show_one(promotion, DETAILS, output)
    return status


async def list_(
    *,
    status: str | None = None,
    reason: str | None = None,
    agent: str | None = None,
    to: str | None = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = 50,
    cursor: str | None = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """List promotions, newest first.

    Parameters
    ----------
    status
        Only those with this status.
    reason
        Only those with this reason, such as awaiting_approval.
    agent
        Only those of this agent.
    to
        Only those to this environment.
    cursor
        Where to go on, as the page before said.
    """
    query = {
        "status": status,
        "status_reason": reason,
        "agent_id": agent,
        "target_environment": to,
        "limit": limit,
        "cursor": cursor,
    }
    async with api.client() as client:
        page = await client.raw("GET", "/promotions", query=query)
    show_rows(page["items"], COLUMNS, output, whole=page)
    if page["next_cursor"] is not None and output == "table":
        note(f"there are more: --cursor {page['next_cursor']}")


async def show(promotion: str, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Show one promotion.

    Parameters
    ----------
    promotion
        The promotion's id.
    """
    async with api.client() as client:
        found = (await client.get_promotion(promotion)).model_dump(mode="json")
    show_one(found, DETAILS, output)


async def history(promotion: str, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Show every transition and vote of a promotion, oldest first.

    Parameters
    ----------
    promotion
        The promotion's id.
    """
    async with api.client() as client:
        entries = [entry.model_dump(mode="json") for entry in await client.get_history(promotion)]
    show_rows(entries, HISTORY, output)


async def watch(
    promotion: str, /, *, timeout_seconds: Timeout = 3600.0, output: Output = "table", api: Api = HERE
) -> int:
    """Follow a promotion until it ends; each step is said on stderr as it happens.

    Parameters
    ----------
    promotion
        The promotion's id.
    """
    async with api.client() as client:
        found = await client.get_promotion(promotion)
        ended, status = await follow(client, str(found.id), timeout_seconds=timeout_seconds, through_waiting=True)
    show_one(ended, DETAILS, output)
    return status


def _votes(row: Any) -> str:
    votes = ", ".join(f"{vote['voter']}: {vote['decision']}" for vote in row["votes"])
    return f"{votes or 'none'} (needs {row['required_approvers'] or 0})"
