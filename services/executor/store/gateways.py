"""The gateways that have work, with the addresses and limits that inventory publishes."""

from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from services.executor.store.rows import UNFINISHED
from services.platform.vault import origin

# Of a gateway that nobody registered nothing is called, so any bound will do.
UNREGISTERED_CONCURRENCY = 16


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway; ``url`` is None where it is not registered (any more)."""

    organization_id: str
    gateway_id: str
    url: str | None
    credential: str | None
    max_concurrency: int

    def __repr__(self) -> str:
        return f"Gateway({self.organization_id!r}, {self.gateway_id!r})"

    def at(self, url: str | None, credential: str | None) -> "Gateway":
        """Give it at the address that was called, with ``credential`` unless that address has been given another."""
        if url is not None and self.url is not None and (url == self.url or origin(url) == origin(self.url)):
            credential = self.credential
        return replace(self, url=url, credential=credential)


# Jumps from gateway to gateway through the index, however many executions each has.
_WITH_WORK = text(f"""
    WITH RECURSIVE gateway AS (
        (SELECT organization_id, gateway_id FROM executor.execution WHERE {UNFINISHED}
            ORDER BY organization_id, gateway_id LIMIT 1)
        UNION ALL
        SELECT following.* FROM gateway AS g CROSS JOIN LATERAL (
            SELECT e.organization_id, e.gateway_id FROM executor.execution AS e
            WHERE e.{UNFINISHED} AND (e.organization_id, e.gateway_id) > (g.organization_id, g.gateway_id)
            ORDER BY e.organization_id, e.gateway_id LIMIT 1) AS following
    )
    SELECT g.organization_id, g.gateway_id, p.url, p.credential, p.max_concurrency
    FROM gateway AS g LEFT JOIN inventory.published_gateway AS p USING (organization_id, gateway_id)
""")  # noqa: S608 - constants

_THESE = text("""
    SELECT i.organization_id, i.gateway_id, p.url, p.credential, p.max_concurrency
    FROM (SELECT DISTINCT * FROM unnest(cast(:organizations AS text[]), cast(:gateways AS text[]))
            AS u (organization_id, gateway_id)) AS i
    LEFT JOIN inventory.published_gateway AS p USING (organization_id, gateway_id)
""")


async def gateways_with_work(connection: AsyncConnection) -> list[Gateway]:
    """Name every gateway that an unfinished execution is for."""
    return [_gateway(row) for row in await connection.execute(_WITH_WORK)]


async def find_gateways(connection: AsyncConnection, keys: list[tuple[str, str]]) -> dict[tuple[str, str], Gateway]:
    """Look up gateways by organization and id."""
    rows = await connection.execute(
        _THESE, {"organizations": [key[0] for key in keys], "gateways": [key[1] for key in keys]}
    )
    found = [_gateway(row) for row in rows]
    return {(gateway.organization_id, gateway.gateway_id): gateway for gateway in found}


def _gateway(row: Any) -> Gateway:
    return Gateway(
        organization_id=row.organization_id,
        gateway_id=row.gateway_id,
        url=row.url,
        credential=row.credential,
        max_concurrency=row.max_concurrency or UNREGISTERED_CONCURRENCY,
    )
