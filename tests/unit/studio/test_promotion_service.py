"""The Python door: what it sends, what it waits for, and what it raises."""

import uuid

import pytest

from studio.problems import (
    Conflict,
    Forbidden,
    NotFound,
    PromotionFailed,
    PromotionNotApproved,
    PromotionRejected,
    PromotionUnfinished,
    Unauthenticated,
    Unconfigured,
    Unreachable,
)
from studio.services.promotion_service import PromotionService
from tests.unit.studio.fake_api import COMPLETED, DEPLOYMENT, KEY, PROMOTION_ID, FakeApi, problem, promotion

HERE = f"/promotions/{PROMOTION_ID}"
WISH = {
    "organization_id": "acme",
    "agent_id": "agent-123",
    "source_deployment_id": "dep-456",
    "target_gateway_id": "gw-789",
    "target_environment": "production",
    "created_by": "user-1",
}
EXECUTING = promotion(status="approved", status_reason="executing", version=3)


@pytest.fixture
def service(api: FakeApi) -> PromotionService:
    return PromotionService(api.url, KEY)


async def test_without_arguments_address_and_key_come_from_the_environment(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMOTION_URL", api.url)
    monkeypatch.setenv("PROMOTION_API_KEY", KEY)
    api.plan("GET", HERE, COMPLETED)

    found = await PromotionService().get(PROMOTION_ID)

    assert found["status"] == "completed"


def test_what_is_missing_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMOTION_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("PROMOTION_API_KEY", raising=False)

    with pytest.raises(Unconfigured, match="PROMOTION_API_KEY is not set"):
        PromotionService()


async def test_creating_acts_for_the_person_who_is_named(api: FakeApi, service: PromotionService) -> None:
    api.plan("POST", "/promotions", promotion())

    created = await service.create(WISH)

    (asked,) = api.requests("POST", "/promotions")
    assert created["id"] == PROMOTION_ID
    assert asked.headers["On-Behalf-Of"] == "user-1"
    assert asked.body == WISH


async def test_identifiers_may_be_uuids(api: FakeApi, service: PromotionService) -> None:
    person = uuid.uuid4()
    api.plan("POST", "/promotions", promotion())
    api.plan("POST", f"{HERE}/approve", promotion())

    await service.create({**WISH, "created_by": person})
    await service.approve(uuid.UUID(PROMOTION_ID), person)

    (created,), (approved,) = api.requests("POST", "/promotions"), api.requests("POST", f"{HERE}/approve")
    assert created.body["created_by"] == created.headers["On-Behalf-Of"] == str(person)
    assert approved.headers["On-Behalf-Of"] == str(person)


async def test_rejecting_carries_person_and_reason(api: FakeApi, service: PromotionService) -> None:
    api.plan("POST", f"{HERE}/reject", promotion(status="rejected", status_reason="rejected"))

    await service.reject(PROMOTION_ID, "user-2", "not on a Friday")

    (asked,) = api.requests("POST", f"{HERE}/reject")
    assert (asked.headers["On-Behalf-Of"], asked.body) == ("user-2", {"reason": "not on a Friday"})


async def test_executing_waits_for_the_end_and_gives_the_deployment(api: FakeApi, service: PromotionService) -> None:
    api.plan("POST", f"{HERE}/execute", EXECUTING, EXECUTING, COMPLETED)
    api.plan("GET", "/deployments/dep-new", DEPLOYMENT)

    deployment = await service.execute(PROMOTION_ID)

    assert deployment == DEPLOYMENT
    assert all(asked.headers["Prefer"].startswith("wait=") for asked in api.requests("POST", f"{HERE}/execute"))


async def test_executing_waits_while_the_rules_are_evaluated(api: FakeApi, service: PromotionService) -> None:
    too_early = lambda: problem(409, "too_early", "it is pending")  # noqa: E731
    api.plan("POST", f"{HERE}/execute", too_early, too_early, COMPLETED)
    api.plan("GET", HERE, promotion())
    api.plan("GET", "/deployments/dep-new", DEPLOYMENT)

    deployment = await service.execute(PROMOTION_ID)

    assert deployment["deployment_id"] == "dep-new"


async def test_a_deployment_that_inventory_learns_of_a_moment_later_is_waited_for(
    api: FakeApi, service: PromotionService
) -> None:
    late = lambda: problem(404, "not_found", "there is no deployment")  # noqa: E731
    api.plan("POST", f"{HERE}/execute", COMPLETED)
    api.plan("GET", "/deployments/dep-new", late, DEPLOYMENT)

    assert (await service.execute(PROMOTION_ID))["status"] == "active"


async def test_executing_what_waits_for_people_says_so(api: FakeApi, service: PromotionService) -> None:
    waits = promotion(status_reason="awaiting_approval", status_message="needs 1 more approval")
    api.plan("POST", f"{HERE}/execute", lambda: problem(409, "not_approved", "it is pending"))
    api.plan("GET", HERE, waits)

    with pytest.raises(PromotionNotApproved, match="needs 1 more approval") as caught:
        await service.execute(PROMOTION_ID)

    assert caught.value.promotion == waits


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [("rejected", "rejected", PromotionRejected), ("failed", "gateway_refused", PromotionFailed)],
)
async def test_a_bad_end_is_raised_with_the_promotion(
    api: FakeApi, service: PromotionService, status: str, reason: str, error: type[PromotionNotApproved]
) -> None:
    ended = promotion(status=status, status_reason=reason, status_message="it is over")
    api.plan("POST", f"{HERE}/execute", EXECUTING, ended)

    with pytest.raises(error, match="it is over"):
        await service.execute(PROMOTION_ID)


async def test_a_bad_end_before_executing_is_raised_too(api: FakeApi, service: PromotionService) -> None:
    api.plan("POST", f"{HERE}/execute", lambda: problem(409, "ended", "it is rejected"))
    api.plan("GET", HERE, promotion(status="rejected", status_reason="expired"))

    with pytest.raises(PromotionRejected, match="expired"):
        await service.execute(PROMOTION_ID)


async def test_when_time_is_over_the_promotion_is_given_unfinished(api: FakeApi, service: PromotionService) -> None:
    api.plan("POST", f"{HERE}/execute", EXECUTING)

    with pytest.raises(PromotionUnfinished):
        await service.execute(PROMOTION_ID, timeout_seconds=0)


@pytest.mark.parametrize("would_promote", [True, False])
async def test_whether_a_rule_would_promote_is_what_the_explanation_says(
    api: FakeApi, service: PromotionService, would_promote: bool
) -> None:
    api.plan("GET", "/deployments/dep-456/explain", {"deployment_id": "dep-456", "would_promote": would_promote})

    assert await service.check_auto_promotion("dep-456") is would_promote


@pytest.mark.parametrize(
    ("status", "error"), [(403, Forbidden), (404, NotFound), (409, Conflict)], ids=["forbidden", "unknown", "late"]
)
async def test_a_refusal_carries_the_problem_document(
    api: FakeApi, service: PromotionService, status: int, error: type[Exception]
) -> None:
    api.plan("POST", f"{HERE}/approve", lambda: problem(status, "some_code", "what was wrong", current="approved"))

    with pytest.raises(error, match="what was wrong") as caught:
        await service.approve(PROMOTION_ID, "user-2")

    assert caught.value.problem["current"] == "approved"  # type: ignore[attr-defined]
    assert caught.value.code == "some_code"  # type: ignore[attr-defined]


async def test_a_wrong_key_is_told_apart(api: FakeApi) -> None:
    with pytest.raises(Unauthenticated):
        await PromotionService(api.url, "pk_wrong").get(PROMOTION_ID)


async def test_an_api_that_is_away_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="did not answer GET"):
        await PromotionService("http://127.0.0.1:9", KEY).get(PROMOTION_ID)


async def test_inside_async_with_calls_share_a_connection(api: FakeApi) -> None:
    api.plan("GET", HERE, COMPLETED)

    async with PromotionService(api.url, KEY) as service:
        await service.get(PROMOTION_ID)
        await service.get(PROMOTION_ID)

    assert len({asked.peer for asked in api.asked}) == 1


async def test_an_identifier_cannot_leave_its_place_in_the_path(api: FakeApi, service: PromotionService) -> None:
    with pytest.raises(NotFound):
        await service.get("../rules")

    assert api.asked[0].path == "/api/v1/promotions/../rules"
