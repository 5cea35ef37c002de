"""What inventory does with what it is told: load, decide, save, return; one transaction each, the caller's.

A refusal is an exception that holds the wrong value and what to do.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain import environments as order
from services.inventory.domain.deployments import Announcement, Slots
from services.inventory.store import deployments, environments, gateways
from services.inventory.store.gateways import GatewayRow
from services.platform.vault import origin

MOST_NAMED = 5


class UnknownEnvironment(ValueError):
    """The environment is not in the organization's list."""


class GatewayTaken(Exception):
    """Another gateway of the organization has this id."""


class GatewayInUse(Exception):
    """Deployments are live or coming on the gateway, so it can neither go nor change its environment."""


class CredentialElsewhere(ValueError):
    """The stored credential belongs to another address than the gateway is to have."""


class EnvironmentInUse(Exception):
    """Gateways belong to an environment that the new list leaves out."""


async def record_announcements(connection: AsyncConnection, announcements: Sequence[Announcement]) -> None:
    """Fold ``announcements`` into what is known; raises Contradiction for one that cannot be."""
    changed_at = await deployments.number_change(connection, {item.organization_id for item in announcements})
    slots = Slots(await deployments.load(connection, announcements))
    for announcement in announcements:
        slots.announce(announcement)
    await deployments.save(connection, slots.changed(), changed_at=changed_at)


async def register_gateway(connection: AsyncConnection, gateway: GatewayRow) -> None:
    """Add a gateway; as a default one it takes the place of its environment's earlier default."""
    await gateways.take_turn(connection, gateway.organization_id)
    await _require_environment(connection, gateway)
    if not await gateways.insert(connection, gateway):
        raise GatewayTaken(f"gateway {gateway.gateway_id!r} is registered; replace it with PUT, or choose another id")


async def replace_gateway(
    connection: AsyncConnection, gateway: GatewayRow, *, keep_credential: bool, permit: Callable[[GatewayRow], None]
) -> GatewayRow | None:
    """Replace the gateway of that id; give it as it is then, or None where there is none.

    ``permit`` raises where the caller may not touch the gateway as it was.
    """
    await gateways.take_turn(connection, gateway.organization_id)
    known = await gateways.one(connection, organization_id=gateway.organization_id, gateway_id=gateway.gateway_id)
    if known is None:
        return None
    permit(known)
    await _require_environment(connection, gateway)
    if keep_credential and known.credential is not None and origin(known.url) != origin(gateway.url):
        raise CredentialElsewhere(f"the stored credential is for {origin(known.url)}, not for {origin(gateway.url)}")
    if known.environment != gateway.environment:
        await _require_idle(connection, known, "change its environment")
    replaced = replace(
        gateway,
        created_at=known.created_at,
        created_by=known.created_by,
        credential=known.credential if keep_credential else gateway.credential,
    )
    await gateways.replace(connection, replaced)
    return replaced


async def remove_gateway(
    connection: AsyncConnection, *, organization_id: str, gateway_id: str, permit: Callable[[GatewayRow], None]
) -> bool:
    """Forget a gateway on which nothing is live or executes; tell whether there was one.

    ``permit`` as in replace_gateway.
    """
    await gateways.take_turn(connection, organization_id)
    known = await gateways.one(connection, organization_id=organization_id, gateway_id=gateway_id)
    if known is None:
        return False
    permit(known)
    await _require_idle(connection, known, "be deleted")
    await gateways.delete(connection, organization_id=organization_id, gateway_id=gateway_id)
    return True


async def replace_environments(
    connection: AsyncConnection, organization_id: str, *, names: Sequence[str], by: str, now: datetime
) -> None:
    """Replace the ordered list; what has gateways has to stay in it."""
    await gateways.take_turn(connection, organization_id)
    bereft = order.bereft(names, in_use=await gateways.environments_in_use(connection, organization_id))
    if bereft:
        raise EnvironmentInUse(
            f"environments with gateways are missing: {', '.join(bereft)}; move or delete their gateways first"
        )
    await environments.replace(connection, organization_id, names=names, by=by, now=now)


async def _require_environment(connection: AsyncConnection, gateway: GatewayRow) -> None:
    known = order.in_force(await environments.names(connection, gateway.organization_id))
    if gateway.environment not in known:
        raise UnknownEnvironment(
            f"{gateway.environment!r} is none of your environments ({', '.join(known)}); take one, or PUT /environments"
        )


async def _require_idle(connection: AsyncConnection, gateway: GatewayRow, what: str) -> None:
    live = await deployments.count_active(
        connection, organization_id=gateway.organization_id, gateway_id=gateway.gateway_id
    )
    if live:
        raise GatewayInUse(
            f"gateway {gateway.gateway_id!r} has {live} active deployments and cannot {what}; "
            "remove them and announce it (deployment.completed, status removed) first"
        )
    executing = await gateways.executing_on(
        connection, organization_id=gateway.organization_id, gateway_id=gateway.gateway_id
    )
    if executing:
        named = ", ".join(executing[:MOST_NAMED]) + (", …" if len(executing) > MOST_NAMED else "")
        raise GatewayInUse(
            f"{len(executing)} promotions execute on gateway {gateway.gateway_id!r} ({named}), so that it cannot "
            f"{what}; wait until they have ended; a new address can be given at once with PUT"
        )
