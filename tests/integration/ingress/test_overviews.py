"""What sums many things up, over HTTP: the board, the statistics, the audit trail, the processes, a rule's versions."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.vocabulary import DeploymentOutcome, StatusReason
from services.platform.reports import FORGOTTEN_AFTER, SILENT_AFTER
from tests.integration.ingress.conftest import Door
from tests.integration.promotion.api import announce
from tests.integration.promotion.house import House, completion, evaluation

HOUR = timedelta(hours=1)


class Office(House):
    """The promotion service beside the door, at the present time."""

    async def ask(self, agent: str, *, needs: int = 0, asked: timedelta = HOUR, **more: Any) -> UUID:
        """Have a promotion of ``agent`` to staging, asked for a while ago, evaluated now."""
        identifier = uuid4()
        values = {
            "agent_id": agent, "created_at": self.now - asked, "evaluated_at": self.now,
            "requires_approval": needs > 0, "required_approvers": needs, **more,
        }  # fmt: skip
        await self.evaluate(evaluation(identifier, **values))
        return identifier

    async def end(self, promotion: UUID, agent: str, **more: Any) -> None:
        """Let its execution end now."""
        await self.complete(completion(promotion, agent_id=agent, deployed_at=self.now, **more))


@pytest.fixture
async def office(database: str) -> AsyncIterator[Office]:
    opened = Office(database)
    opened.now = datetime.now(UTC)
    yield opened
    await opened.close()


async def live(office: Office, agent: str, version: str, environment: str, **more: Any) -> None:
    await announce(
        office, f"{agent}-{version}", agent_id=agent, version=version, environment=environment,
        gateway_id=f"gw-{environment}", deployed_at=office.now - 2 * HOUR, **more,
    )  # fmt: skip


async def test_the_board_shows_what_is_live_under_way_and_gone_wrong(door: Door, office: Office) -> None:
    await live(office, "reader", "1.0.0", "staging")
    await live(office, "writer", "2.0.0", "staging")
    waiting = await office.ask("reader", needs=2)
    failing = await office.ask("writer")
    await office.end(
        failing, "writer", status=DeploymentOutcome.FAILED, error="no", error_code=StatusReason.GATEWAY_REFUSED
    )

    board = await door.call("GET", "/api/v1/board", role="viewer")

    reader, writer = ({"agent": item["agent_id"], **item["slots"][0]} for item in board.items)
    assert (reader["agent"], reader["live"]["version"], reader["environment"]) == ("reader", "1.0.0", "staging")
    assert (reader["under_way"]["id"], reader["under_way"]["required_approvers"]) == (str(waiting), 2)
    assert (reader["trouble"], writer["under_way"]) == (None, None)
    assert (writer["trouble"]["id"], writer["trouble"]["status"]) == (str(failing), "failed")


async def test_a_failure_that_a_later_deployment_made_good_is_no_trouble(door: Door, office: Office) -> None:
    failing = await office.ask("writer", asked=3 * HOUR)
    await office.end(failing, "writer", status=DeploymentOutcome.FAILED, error="no", error_code=StatusReason.TIMED_OUT)
    await live(office, "writer", "2.0.1", "staging")

    (item,) = (await door.call("GET", "/api/v1/board", role="viewer")).items

    assert item["slots"][0]["trouble"] is None


async def test_the_board_is_filtered_and_paged(door: Door, office: Office) -> None:
    for agent in ("alpha", "beta", "gamma"):
        await live(office, agent, "1.0.0", "staging")
    await office.ask("beta", needs=1)

    async def shown(query: str) -> list[str]:
        return [item["agent_id"] for item in (await door.call("GET", f"/api/v1/board{query}", role="viewer")).items]

    first = (await door.call("GET", "/api/v1/board?limit=2", role="viewer")).body
    assert [item["agent_id"] for item in first["items"]] == ["alpha", "beta"]
    assert await shown(f"?limit=2&cursor={first['next_cursor']}") == ["gamma"]
    assert await shown("?agent=ET") == ["beta"]
    assert await shown("?agent_id=alpha&agent_id=gamma") == ["alpha", "gamma"]
    assert await shown("?moving=true") == ["beta"]
    assert await shown("?agent=%25") == []
    assert (await door.call("GET", "/api/v1/board?cursor=x", role="viewer")).status == 422


async def test_the_statistics_count_what_was_asked_for_and_what_came_of_it(door: Door, office: Office) -> None:
    done, failed = await office.ask("reader"), await office.ask("writer")
    await office.ask("waiter", needs=1)
    await office.end(done, "reader")
    await office.end(
        failed, "writer", status=DeploymentOutcome.FAILED, error="no", error_code=StatusReason.GATEWAY_REFUSED
    )

    statistics = (await door.call("GET", "/api/v1/statistics?days=3", role="viewer")).body

    days = statistics["days"]
    assert len(days) == 3
    assert sum(day["requested"] for day in days) == 3
    assert (sum(day["completed"] for day in days), sum(day["failed"] for day in days)) == (1, 1)
    assert statistics["change_fail_rate"] == 0.5
    assert statistics["lead_seconds"] == pytest.approx(HOUR.total_seconds(), rel=0.006)
    assert statistics["approval_seconds"] is None


async def test_the_statistics_are_those_of_the_days_and_environment_that_are_asked_for(
    door: Door, office: Office
) -> None:
    await office.end(await office.ask("reader"), "reader")
    await office.ask("older", asked=timedelta(days=9))

    async def requested(query: str) -> int:
        body = (await door.call("GET", f"/api/v1/statistics{query}", role="viewer")).body
        return sum(day["requested"] for day in body["days"])

    assert await requested("?days=30") == 2
    assert await requested("?days=5") == 1
    assert await requested("?days=5&target_environment=staging") == 1
    nothing = (await door.call("GET", "/api/v1/statistics?target_environment=production", role="viewer")).body
    assert (sum(day["requested"] for day in nothing["days"]), nothing["change_fail_rate"]) == (0, None)
    assert [(await door.call("GET", f"/api/v1/statistics?days={days}")).status for days in (0, 367)] == [422, 422]


async def test_the_audit_lists_every_step_newest_first(door: Door, office: Office) -> None:
    first, second = await office.ask("reader"), await office.ask("writer", needs=1)
    await office.end(first, "reader")

    whole = (await door.call("GET", "/api/v1/audit?limit=200", role="viewer")).body["items"]
    page = (await door.call("GET", "/api/v1/audit?limit=2", role="viewer")).body
    rest = (await door.call("GET", f"/api/v1/audit?limit=200&cursor={page['next_cursor']}", role="viewer")).body
    head = (await door.call("GET", "/api/v1/audit/head", role="viewer")).body

    assert [entry["sequence"] for entry in whole] == list(range(len(whole), 0, -1))
    assert [*page["items"], *rest["items"]] == whole
    assert (whole[0]["sequence"], whole[0]["hash"]) == (head["sequence"], head["hash"])
    assert {entry["promotion_id"] for entry in whole} == {str(first), str(second)}
    assert (whole[0]["agent_id"], whole[0]["status"]) == ("reader", "completed")


async def test_the_audit_of_one_actor_is_theirs_alone(door: Door, office: Office) -> None:
    await office.ask("reader")

    async def actors(actor: str) -> set[str]:
        answer = await door.call("GET", f"/api/v1/audit?actor={actor}", role="viewer")
        return {entry["actor"] for entry in answer.items}

    assert await actors("rita") == {"rita"}
    assert await actors("nobody") == set()


@pytest.mark.parametrize("path", ["/api/v1/board", "/api/v1/audit"])
async def test_another_organization_sees_nothing_of_it(door: Door, office: Office, path: str) -> None:
    await live(office, "reader", "1.0.0", "staging")
    await office.ask("reader", needs=1)

    mine = await door.call("GET", path, role="viewer")
    theirs = await door.call("GET", path, role="viewer", organization="globex")

    assert mine.items != []
    assert theirs.items == []


async def test_the_statistics_of_another_organization_are_zero(door: Door, office: Office) -> None:
    await office.ask("reader")

    theirs = (await door.call("GET", "/api/v1/statistics", role="viewer", organization="globex")).body

    assert sum(day["requested"] for day in theirs["days"]) == 0


async def _report(door: Door, service: str, *, ago: timedelta, trouble: str = "{}") -> None:
    await door.execute(
        "INSERT INTO platform.service_report VALUES ($1, 'one', now() - interval '1 day', now() - $2::interval, "
        f"'{trouble}', '{{\"promotion.changed\": 7}}', 3, now(), 'loop failed', now())",
        service,
        ago,
    )


async def test_the_processes_are_shown_as_they_said_last(door: Door) -> None:
    await _report(door, "rules", ago=timedelta(seconds=1))
    await _report(door, "executor", ago=timedelta(seconds=1), trouble='{"kafka: not consuming"}')
    await _report(door, "inventory", ago=SILENT_AFTER + timedelta(seconds=1))
    await _report(door, "promotion", ago=FORGOTTEN_AFTER + timedelta(hours=1))

    shown = {item["service"]: item for item in (await door.call("GET", "/api/v1/services", role="viewer")).items}

    states = {name: (item["ready"], item["silent"]) for name, item in shown.items() if name != "ingress"}
    assert states == {"rules": (True, False), "executor": (False, False), "inventory": (False, True)}
    assert shown["executor"]["trouble"] == ["kafka: not consuming"]
    assert (shown["rules"]["lag"], shown["rules"]["outbox_rows"]) == ({"promotion.changed": 7}, 3)
    assert shown["rules"]["last_error"] == "loop failed"


_WISH = {"agent_id": "a", "source_deployment_id": "none", "target_environment": "staging"}
RULE = {"name": "Into staging", "source_environment": "development", "target_environment": "staging"}


async def test_the_versions_of_a_rule_are_listed_newest_first_even_when_it_is_gone(door: Door) -> None:
    rule = (await door.call("POST", "/api/v1/promotions/rules", RULE)).body
    path = f"/api/v1/promotions/rules/{rule['id']}"
    for approvers in (2, 3):
        await door.call("PUT", path, {**RULE, "required_approvers": approvers})
    await door.call("DELETE", path)

    versions = await door.call("GET", f"{path}/versions", role="viewer")

    assert [(item["version"], item["required_approvers"]) for item in versions.items] == [(3, 3), (2, 2), (1, 1)]
    assert versions.items[0]["updated_by"] == "admin-of-acme"


async def test_the_versions_of_another_organizations_rule_are_those_of_none(door: Door) -> None:
    rule = (await door.call("POST", "/api/v1/promotions/rules", RULE)).body

    foreign = await door.call("GET", f"/api/v1/promotions/rules/{rule['id']}/versions", organization="globex")
    random = await door.call("GET", f"/api/v1/promotions/rules/{uuid4()}/versions", organization="globex")

    assert (foreign.status, random.status) == (404, 404)


async def test_a_lag_of_webhooks_is_no_reason_to_refuse(door: Door) -> None:
    await _report(door, "notifications", ago=timedelta(seconds=1))
    await door.execute(
        "UPDATE platform.service_report SET lag = '{\"promotion.changed\": 10000000}' WHERE service = 'notifications'"
    )

    answer = await door.call("POST", "/api/v1/promotions", _WISH, role="requester")

    # It is looked at, and not refused for want of room.
    assert answer.status == 422
