"""What `promotion up` does with its gateways at each start, where people changed the inventory in between."""

from pathlib import Path

from studio.client import PromotionClient
from studio.local.members import LocalGateway
from studio.local.registration import register_gateways
from tests.integration.ingress.conftest import Door


def gateways(first_port: int) -> list[LocalGateway]:
    names = ("development", "staging", "production")
    return [LocalGateway(f"gw-{name}", name, first_port + number, Path("log")) for number, name in enumerate(names)]


async def registered(door: Door) -> dict[str, tuple[str, str]]:
    listed = await door.call("GET", "/api/v1/gateways")
    return {item["gateway_id"]: (item["environment"], item["url"]) for item in listed.items}


async def start(door: Door, first_port: int) -> list[str]:
    said: list[str] = []
    async with PromotionClient(door.url, await door.key()) as client:
        await register_gateways(client, gateways(first_port), said.append)
    return said


async def test_each_start_registers_the_gateways_at_their_new_addresses(door: Door) -> None:
    first, second = await start(door, 7000), await start(door, 8000)

    assert first == second == []
    assert await registered(door) == {
        "gw-development": ("development", "http://127.0.0.1:8000"),
        "gw-staging": ("staging", "http://127.0.0.1:8001"),
        "gw-production": ("production", "http://127.0.0.1:8002"),
    }


async def test_an_environment_that_was_removed_does_not_stop_a_start(door: Door) -> None:
    await start(door, 7000)
    await door.call("DELETE", "/api/v1/gateways/gw-staging")
    await door.call("PUT", "/api/v1/environments", {"names": ["development", "production"]})

    said = await start(door, 8000)

    assert [line.split(":")[0] for line in said] == ["gw-staging is not registered"]
    assert set(await registered(door)) == {"gw-development", "gw-production"}


async def test_what_people_changed_of_a_gateway_stays(door: Door) -> None:
    await start(door, 7000)
    moved = {"environment": "production", "url": "http://127.0.0.1:7001", "is_default": False, "max_concurrency": 3}
    await door.call("PUT", "/api/v1/gateways/gw-staging", moved)
    await door.call(
        "PUT", "/api/v1/gateways/gw-production", {"environment": "production", "url": "https://real.example"}
    )
    guarded = {"environment": "development", "url": "http://127.0.0.1:7000", "credential": "s3cret"}
    await door.call("PUT", "/api/v1/gateways/gw-development", guarded)

    said = await start(door, 8000)

    assert await registered(door) == {
        "gw-development": ("development", "http://127.0.0.1:7000"),
        "gw-staging": ("production", "http://127.0.0.1:8001"),
        "gw-production": ("production", "https://real.example"),
    }
    assert [line.partition(" ")[0] for line in said] == ["gw-development", "gw-production"]
