"""The kept documents of the API and the topics say what the code says, and only what is true."""

import json
import re
from typing import Any

import pytest

from docs.generate import FOLDER, outdated
from schemas import topics


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "asyncapi.json").read_text("utf-8"))
    return document


def operations(openapi: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    }


def test_the_kept_documents_are_current() -> None:
    assert outdated() == [], "run: make docs"


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(name: str, request: pytest.FixtureRequest) -> None:
    document = request.getfixturevalue(name)

    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        place = document
        for part in reference.split("/"):
            place = place[part]


def test_every_operation_has_its_own_id_a_known_tag_and_a_description(openapi: dict[str, Any]) -> None:
    found = operations(openapi)
    known = {tag["name"] for tag in openapi["tags"]}

    assert len({operation["operationId"] for operation in found.values()}) == len(found)
    assert [place for place, operation in found.items() if not set(operation.get("tags", ())) & known] == []
    assert [place for place, operation in found.items() if not operation.get("description")] == []


def test_all_of_the_api_needs_a_key_and_answers_problems(openapi: dict[str, Any]) -> None:
    guarded = {place: op for place, op in operations(openapi).items() if "/api/" in place}

    for place, operation in guarded.items():
        assert operation["security"] == [{"ApiKey": []}], place
        assert {"401", "403", "503"} <= set(operation["responses"]), place
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], f"{place} {status}"


def test_every_link_leads_to_an_operation_by_one_of_its_parameters(openapi: dict[str, Any]) -> None:
    by_id = {operation["operationId"]: operation for operation in operations(openapi).values()}
    links = [
        (origin, link)
        for origin, operation in by_id.items()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]

    for origin, link in links:
        wanted = {parameter["name"] for parameter in by_id[link["operationId"]]["parameters"]}
        assert set(link["parameters"]) <= wanted, (origin, link)
        assert all(place.startswith("$response.body#/") for place in link["parameters"].values())
    led_to = {link["operationId"] for _, link in links}
    one_thing = {
        name for name, operation in by_id.items() for each in operation.get("parameters", ()) if each["in"] == "path"
    }
    # A delivery is named by two ids, of which no one answer has both.
    assert one_thing - led_to == {"get_webhook_delivery", "redeliver_to_webhook"}


def test_every_topic_has_a_channel_a_message_and_its_consumers(asyncapi: dict[str, Any]) -> None:
    assert set(asyncapi["channels"]) == set(topics.EVENT_TOPICS)
    for service, consumed in topics.CONSUMED_BY.items():
        for topic in consumed:
            assert asyncapi["operations"][topics.consumer_group(service, topic)]["action"] == "receive"
