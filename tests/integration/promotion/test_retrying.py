"""A promotion whose execution is tried again is shown as retrying, with the attempt, its error and the next one."""

from uuid import UUID

from tests.integration.promotion.api import Api, identifier_of
from tests.integration.promotion.house import completion, evaluation


async def executing(api: Api) -> UUID:
    identifier = identifier_of(await api.create())
    await api.house.evaluate(evaluation(identifier, agent_id="agent-1", source_deployment_id="dep-1"))
    await api.house.as_owner(
        "INSERT INTO executor.execution (organization_id, promotion_id, agent_id, gateway_id, environment, "
        "source_deployment_id, version, executing_at, caused_by, received_at, deadline_at, give_up_at, status, due_at) "
        "VALUES ('acme', :id, 'agent-1', 'gw-staging', 'staging', 'dep-1', '1', now(), 'x', now(), now(), now(), "
        "'waiting', now())",
        id=identifier,
    )
    return identifier


async def tried(api: Api, identifier: UUID, status: str, *, attempts: int, error: str | None, leased: bool) -> None:
    await api.house.as_owner(
        "UPDATE executor.execution SET status = :status, attempts = :attempts, last_error = :error, leased = :leased, "
        "due_at = '2030-01-01T12:00:05Z' WHERE promotion_id = :id",
        id=identifier,
        status=status,
        attempts=attempts,
        error=error,
        leased=leased,
    )


async def shown(api: Api, identifier: UUID) -> tuple[str, str]:
    promotion = (await api.get(f"/api/v1/promotions/{identifier}")).body
    return promotion["status_reason"], promotion["status_message"]


async def test_the_first_attempt_is_no_retry(api: Api) -> None:
    identifier = await executing(api)

    await tried(api, identifier, "calling", attempts=1, error=None, leased=True)

    assert (await shown(api, identifier))[0] == "executing"


async def test_after_a_failed_attempt_it_says_which_and_when_the_next_is(api: Api) -> None:
    identifier = await executing(api)

    await tried(api, identifier, "looking_up", attempts=3, error="502 bad gateway", leased=False)
    waiting = await shown(api, identifier)
    await tried(api, identifier, "looking_up", attempts=4, error="502 bad gateway", leased=True)
    calling = await shown(api, identifier)

    assert waiting == (
        "retrying",
        "Attempt 3 failed: 502 bad gateway. The next is at 2030-01-01T12:00:05+00:00.",
    )
    assert calling == ("retrying", "Attempt 4 is under way; the one before it failed: 502 bad gateway")


async def test_lists_show_and_filter_it_alike(api: Api) -> None:
    identifier = await executing(api)
    await tried(api, identifier, "waiting", attempts=1, error="no connection", leased=False)

    retrying = (await api.get("/api/v1/promotions?status_reason=retrying")).body["items"]
    still_executing = (await api.get("/api/v1/promotions?status_reason=executing")).body["items"]
    everything = (await api.get("/api/v1/promotions")).body["items"]

    assert [item["id"] for item in retrying] == [str(identifier)]
    assert still_executing == []
    assert [item["status_reason"] for item in everything] == ["retrying"]


async def test_what_has_ended_is_not_retrying_and_its_history_never_was(api: Api) -> None:
    identifier = await executing(api)
    await tried(api, identifier, "waiting", attempts=1, error="no connection", leased=False)

    await api.house.complete(completion(identifier, agent_id="agent-1"))

    assert (await shown(api, identifier))[0] == "deployed"
    assert "approved/retrying" not in await api.house.story(identifier)
