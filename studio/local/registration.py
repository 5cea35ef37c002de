"""Puts the local gateways into the inventory at each start, without undoing what people changed there since."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from schemas.resources import Gateway
from studio.client import PromotionClient
from studio.local.members import LocalGateway
from studio.local.ports import LOOPBACK
from studio.problems import Conflict, Invalid


async def register_gateways(
    client: PromotionClient, gateways: Sequence[LocalGateway], say: Callable[[str], None]
) -> None:
    """Register those of ``gateways`` that can be, at the addresses that they have now; say which cannot and why."""
    known = {gateway.gateway_id: gateway for gateway in await client.list_gateways()}
    environments = (await client.get_environments()).names
    for gateway in gateways:
        registered = known.get(gateway.gateway_id)
        if registered is None and gateway.environment not in environments:
            say(f"{gateway.gateway_id} is not registered: {gateway.environment} is none of the environments any more")
        elif registered is not None and urlsplit(registered.url).hostname != LOOPBACK:
            say(f"{gateway.gateway_id} is left at {registered.url}, where somebody has put it")
        else:
            await _register(client, gateway, registered, say)


async def _register(
    client: PromotionClient, gateway: LocalGateway, registered: Gateway | None, say: Callable[[str], None]
) -> None:
    body = {"environment": gateway.environment, "url": gateway.url, "is_default": True}
    if registered is not None:
        kept = registered.model_dump(include={"name", "environment", "is_default", "max_concurrency"})
        body = {**kept, "url": gateway.url}
    try:
        await client.put_gateway(gateway.gateway_id, body)
    except (Conflict, Invalid) as error:
        say(f"{gateway.gateway_id} is not registered at {gateway.url}: {error}")
