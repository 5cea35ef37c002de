"""POST /promotions: what is created, what is refused and why, and what a repeat of the same request does."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from schemas import topics
from schemas.events import PromotionRequested
from services.promotion.creation import Creation, Ineligible, KeyReused, create
from services.promotion.domain.eligibility import Asked
from tests.integration.promotion.api import Api, announce, identifier_of, register
from tests.integration.promotion.house import ORGANIZATION, START, House, completion, evaluation


async def test_a_created_promotion_is_pending_at_its_location_and_the_rules_are_asked(api: Api) -> None:
    answer = await api.create(headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})

    assert answer.status == 201
    assert answer.headers["location"] == f"/api/v1/promotions/{answer.body['id']}"
    assert (answer.body["status"], answer.body["status_reason"]) == ("pending", "evaluating")
    assert answer.body["source_environment"] == "development"
    assert answer.body["target_gateway_id"] == "gw-staging"
    assert answer.body["deployment_version"] == "1.4.0"
    assert answer.body["created_by"] == "rita"
    assert (await api.get(answer.headers["location"])).body == answer.body
    asked = (await api.house.told(topics.PROMOTION_REQUESTED))[0]
    assert isinstance(asked.data, PromotionRequested)
    assert str(asked.data.promotion_id) == answer.body["id"]
    assert asked.extensions["traceparent"].startswith("00-aaaa")


async def test_a_promotion_created_over_http_runs_to_its_end(api: Api) -> None:
    identifier = identifier_of(await api.create())

    await api.house.evaluate(evaluation(identifier, agent_id="agent-1", source_deployment_id="dep-1"))
    await api.house.complete(completion(identifier, agent_id="agent-1"))

    story = (await api.get(f"/api/v1/promotions/{identifier}/history")).body["items"]
    assert [f"{entry['status']}/{entry['status_reason']}" for entry in story] == [
        "pending/evaluating",
        "approved/queued",
        "approved/executing",
        "completed/deployed",
    ]
    assert [entry["actor"] for entry in story] == ["rita", "service:rules", "service:promotion", "service:executor"]
    assert await api.house.broken_link() is None


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"source_deployment_id": "dep-9"}, "/source_deployment_id", "unknown_deployment"),
        ({"agent_id": "agent-9"}, "/agent_id", "wrong_agent"),
        ({"target_gateway_id": "gw-9"}, "/target_gateway_id", "unknown_gateway"),
        ({"target_gateway_id": "gw-production"}, "/target_gateway_id", "wrong_environment"),
        ({"target_environment": "production"}, "/target_environment", "environment_skipped"),
        ({"target_environment": "development"}, "/target_environment", "same_environment"),
        ({"target_environment": "moon"}, "/target_environment", "unknown_environment"),
        ({"source_deployment_id": "dep-old"}, "/source_deployment_id", "deployment_not_active"),
        ({"source_deployment_id": "dep-live", "target_environment": "staging"}, "/target_environment", "backward"),
        ({"created_by": "ada"}, "/created_by", "not_yours"),
        ({"organization_id": "globex"}, "/organization_id", "not_yours"),
        ({"status": "approved"}, "/status", "extra_forbidden"),
        ({"agent_id": "a\x00b"}, "/agent_id", "string_pattern_mismatch"),
    ],
)
async def test_a_wrong_request_names_the_field_and_leaves_nothing(
    api: Api, body: dict[str, str], path: str, code: str
) -> None:
    await announce(api.house, "dep-old", deployed_at=START - timedelta(hours=1))
    await announce(api.house, "dep-live", environment="production", gateway_id="gw-production")

    answer = await api.create(headers={"Idempotency-Key": "k"}, **body)

    assert answer.status == 422
    assert (path, code) in [(error["path"], error["code"]) for error in answer.body["errors"]]
    assert all(error["hint"] for error in answer.body["errors"])
    assert (await api.get("/api/v1/promotions")).body["items"] == []
    assert (await api.create(headers={"Idempotency-Key": "k"})).status == 201


async def test_a_missing_gateway_is_where_the_agent_runs_else_the_default_else_ambiguous(api: Api) -> None:
    await register(api.house, "gw-staging-2", "staging")
    ambiguous = await api.create()
    await announce(api.house, "dep-0", environment="staging", gateway_id="gw-staging-2")
    where_it_runs = await api.create()

    assert (ambiguous.status, ambiguous.codes) == (422, ["ambiguous_gateway"])
    assert where_it_runs.body["target_gateway_id"] == "gw-staging-2"


async def test_a_second_promotion_of_the_same_deployment_and_gateway_is_a_conflict_that_names_the_first(
    api: Api,
) -> None:
    first = await api.create()
    second = await api.create()

    assert second.status == 409
    assert second.body["promotion_id"] == first.body["id"]


async def test_the_same_key_and_body_are_one_promotion_and_another_body_is_refused(api: Api) -> None:
    await announce(api.house, "dep-2", agent_id="agent-2")
    key = {"Idempotency-Key": "once"}
    first = await api.create(headers=key)
    await api.house.evaluate(evaluation(identifier_of(first), agent_id="agent-1", source_deployment_id="dep-1"))

    again = await api.create(headers=key)
    other = await api.create(headers=key, agent_id="agent-2", source_deployment_id="dep-2")
    elsewhere = await api.create("olga", headers=key)

    assert (again.status, again.body) == (200, first.body)
    assert again.headers["location"] == first.headers["location"]
    assert (other.status, other.body["type"]) == (422, "urn:promotion:problem:idempotency_key_reused")
    assert elsewhere.codes == ["unknown_deployment", "no_gateway"]


async def test_with_a_first_that_came_to_nothing_the_same_comes_to_the_same_and_no_promotion_is_named(
    house: House,
) -> None:
    def wanted(number: int, deployment: str) -> Creation:
        asked = Asked("agent-1", deployment, None, "staging")
        return Creation(
            UUID(int=number), ORGANIZATION, asked, "rita", via=None, key="k", body_hash=deployment.encode(),
            traceparent=None,
        )  # fmt: skip

    async with house.work() as work:
        first, repeat, other = await create(
            work, [wanted(1, "dep-nowhere"), wanted(2, "dep-nowhere"), wanted(3, "dep-elsewhere")]
        )
    async with house.work() as work:
        (later,) = await create(work, [wanted(4, "dep-elsewhere")])

    assert isinstance(first, Ineligible)
    assert (repeat, other) == (first, KeyReused(None))
    assert isinstance(later, Ineligible)


async def test_a_hundred_equal_requests_at_once_create_one_promotion(api: Api) -> None:
    keyed = await asyncio.gather(*(api.create(headers={"Idempotency-Key": "k"}) for _ in range(50)))
    await announce(api.house, "dep-2", agent_id="agent-2")
    bare = await asyncio.gather(*(api.create(agent_id="agent-2", source_deployment_id="dep-2") for _ in range(50)))

    assert sorted(answer.status for answer in keyed) == [200] * 49 + [201]
    assert len({answer.body["id"] for answer in keyed}) == 1
    assert sorted(answer.status for answer in bare) == [201] + [409] * 49
    assert len((await api.get("/api/v1/promotions")).body["items"]) == 2


async def test_requests_that_share_a_transaction_do_not_spoil_one_another(api: Api) -> None:
    for number in range(10, 30):
        await announce(api.house, f"dep-{number}", agent_id=f"agent-{number}")

    answers = await asyncio.gather(
        *(api.create(agent_id=f"agent-{n}", source_deployment_id=f"dep-{n}") for n in range(10, 40))
    )

    assert [answer.status for answer in answers] == [201] * 20 + [422] * 10
    assert await api.house.broken_link() is None


async def test_who_prefers_to_wait_gets_the_decision(api: Api) -> None:
    waiting = asyncio.create_task(api.create(headers={"Prefer": "respond-async, wait=20"}))
    while not (found := (await api.get("/api/v1/promotions")).body["items"]):
        await asyncio.sleep(0.01)
    await api.house.evaluate(
        evaluation(
            found[0]["id"],
            agent_id="agent-1",
            source_deployment_id="dep-1",
            requires_approval=True,
            required_approvers=1,
        )
    )

    answer = await waiting

    assert (answer.status, answer.body["status_reason"]) == (201, "awaiting_approval")
    assert answer.headers["preference-applied"] == "wait=20"


async def test_a_wait_that_is_over_answers_with_what_is(api: Api) -> None:
    answer = await api.create(headers={"Prefer": "wait=1"})

    assert (answer.status, answer.body["status_reason"]) == (201, "evaluating")


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "schlüssel"])
async def test_an_unusable_idempotency_key_is_refused(api: Api, key: str) -> None:
    answer = await api.create(headers={"Idempotency-Key": key})

    assert (answer.status, answer.codes) == (422, ["invalid_key"])


async def test_agents_whose_deployments_have_the_same_id_do_not_stand_in_each_others_way(api: Api) -> None:
    agents = [f"agent-{number}" for number in range(1, 13)]
    for agent in agents[1:]:
        gateway = f"gw-development-of-{agent}"
        await register(api.house, gateway, "development")
        await announce(api.house, "dep-1", agent_id=agent, gateway_id=gateway)

    answers = await asyncio.gather(
        *(api.create(agent_id=agent, target_gateway_id="gw-staging") for agent in agents for _ in range(2))
    )

    assert sorted(answer.status for answer in answers) == [201] * 12 + [409] * 12


async def test_evaluations_of_agents_whose_deployments_have_the_same_id_are_all_applied(api: Api) -> None:
    asked = [evaluation(agent_id=f"agent-{number}", source_deployment_id="dep-1") for number in range(2)]

    await asyncio.gather(*(api.house.evaluate(event) for event in asked))

    assert {await api.house.standing(UUID(event.subject)) for event in asked} == {"approved/executing"}
