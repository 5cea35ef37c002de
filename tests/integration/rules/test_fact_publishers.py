"""An organization says whose facts it believes: a check that its author set green counts for nothing."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from schemas.events import Event, event_source
from services.platform.messaging.consumer import SomeUnprocessable
from tests.integration.rules.calls import Client
from tests.integration.rules.conftest import World, announced, measured, ran_tests

BELIEVED = {"publishers": {"tests.*": ["ci-bot"], "metrics.error_rate": ["prometheus"]}}


def by(publisher: str, event: Event) -> Event:
    return replace(event, extensions=event.extensions | {"publisher": publisher})


async def known(world: World) -> set[str]:
    async with world.database.begin() as connection:
        runs = await connection.scalars(text("SELECT 'tests' FROM rules.test_run"))
        fields = await connection.scalars(text("SELECT field FROM rules.fact"))
        return {*runs, *fields}


async def test_facts_of_others_are_parked_and_those_that_are_believed_count(world: World, client: Client) -> None:
    assert (await client.call("PUT", "/fact-publishers", BELIEVED)).status == 200

    with pytest.raises(SomeUnprocessable) as refused:
        await world.observe(
            by("mallory", ran_tests(at=world.now, identifier="1")),
            ran_tests(at=world.now, identifier="2", run_id="run-2"),
            by("mallory", measured(at=world.now, identifier="3", error_rate=0)),
            by("CI-Bot", ran_tests(at=world.now, identifier="4", run_id="run-4")),
            by("prometheus", measured(at=world.now, identifier="5", error_rate=0.5)),
        )
    await world.observe(
        by("CI-Bot", ran_tests(at=world.now, identifier="4", run_id="run-4")),
        by("prometheus", measured(at=world.now, identifier="5", error_rate=0.5)),
    )

    assert {place: error.code for place, error in refused.value.refused.items()} == dict.fromkeys(
        (0, 1, 2), "publisher_not_believed"
    )
    assert await known(world) == {"tests", "metrics.error_rate"}


async def test_of_one_event_the_fields_count_that_its_publisher_may_observe(world: World, client: Client) -> None:
    await client.call("PUT", "/fact-publishers", BELIEVED)

    await world.observe(by("mallory", measured(at=world.now, error_rate=0, p95_latency_ms=5)))

    assert await known(world) == {"metrics.p95_latency_ms"}


async def test_our_own_executor_is_always_believed(world: World, client: Client) -> None:
    await client.call("PUT", "/fact-publishers", {"publishers": {"*": []}})

    await world.announce(replace(announced("dep-1", at=world.now), source=event_source("executor", "acme")))
    await world.announce(announced("dep-2", at=world.now))

    async with world.database.begin() as connection:
        deployments = set(await connection.scalars(text("SELECT deployment_id FROM rules.fact")))
    assert deployments == {"dep-1"}


async def test_another_organization_s_wishes_are_its_own(world: World, client: Client) -> None:
    await client.call("PUT", "/fact-publishers", {"publishers": {"*": []}}, key="outsider")

    await world.observe(measured(at=world.now, error_rate=0.1))

    assert await known(world) == {"metrics.error_rate"}
    assert (await client.call("GET", "/fact-publishers", key="viewer")).json == {"publishers": {}}
    assert (await client.call("GET", "/fact-publishers", key="outsider")).json == {"publishers": {"*": []}}


async def test_only_an_administrator_says_it(world: World, client: Client) -> None:
    for key in ("viewer", "staging-admin"):
        assert (await client.call("PUT", "/fact-publishers", BELIEVED, key=key)).status == 403


@pytest.mark.parametrize(
    "publishers", [{"Tests": []}, {"a..b": []}, {"*.a": []}, {"tests.*": ["no one"]}, {"tests.*": "ci"}, [], None]
)
async def test_what_names_no_field_or_publisher_is_refused(client: Client, publishers: Any) -> None:
    assert (await client.call("PUT", "/fact-publishers", {"publishers": publishers})).status == 422
