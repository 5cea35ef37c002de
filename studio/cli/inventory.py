"""Commands about what runs where: deployments, gateways, environments."""

from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, show_rows

DEPLOYMENTS = (
    Column("ID", "deployment_id"),
    Column("AGENT", "agent_id"),
    Column("VERSION", "version"),
    Column("ENVIRONMENT", "environment"),
    Column("GATEWAY", "gateway_id"),
    Column("STATUS", "status"),
    Column("DEPLOYED", "deployed_at"),
    Column("PROMOTION", "promotion_id"),
)
GATEWAYS = (
    Column("ID", "gateway_id"),
    Column("ENVIRONMENT", "environment"),
    Column("URL", "url"),
    Column("DEFAULT", "is_default"),
    Column("CREDENTIAL", "has_credential"),
    Column("CONCURRENCY", "max_concurrency"),
)


async def deployments(
    deployment: str | None = None,
    /,
    *,
    agent: str | None = None,
    environment: str | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """List what runs where, or show one deployment.

    Parameters
    ----------
    deployment
        The id of the one deployment to show.
    agent
        Only those of this agent.
    environment
        Only those of this environment.
    status
        Only those with this status: active, retired, removed or failed.
    limit
        How many at most.
    cursor
        Where to go on, as the page before said.
    """
    async with api.client() as client:
        if deployment is not None:
            found = (await client.get_deployment(deployment)).model_dump(mode="json")
            show_rows([found], DEPLOYMENTS, output, whole=found)
            return
        query = {"agent_id": agent, "environment": environment, "status": status, "limit": limit, "cursor": cursor}
        page = await client.raw("GET", "/deployments", query=query)
    show_rows(page["items"], DEPLOYMENTS, output, whole=page)
    if page["next_cursor"] is not None and output == "table":
        note(f"there are more: --cursor {page['next_cursor']}")


async def gateways(*, output: Output = "table", api: Api = HERE) -> None:
    """List the gateways: where agents run."""
    async with api.client() as client:
        rows = [gateway.model_dump(mode="json") for gateway in await client.list_gateways()]
    show_rows(rows, GATEWAYS, output)


async def environments(*names: str, output: Output = "table", api: Api = HERE) -> None:
    """Show the environments in the order in which deployments move.

    Parameters
    ----------
    names
        The new order, where it is to be replaced.
    """
    async with api.client() as client:
        order = await client.put_environments(names) if names else await client.get_environments()
    show_rows(
        [{"name": name} for name in order.names],
        (Column("ENVIRONMENT", "name"),),
        output,
        whole=order.model_dump(mode="json"),
    )
