"""Pages about webhooks over a stand-in for the API; and the dialog for emergencies."""

import base64
from typing import Any

import pytest

from schemas.vocabulary import Role
from services.platform.grants import Grant, Grants
from services.platform.identity import Principal
from studio.console.views.webhooks import OFFERED, filter_of, standing_of, wants
from tests.unit.console.examples import at, entry, explanation, identifier, promotion, vote
from tests.unit.console.stand_in import StandIn

ADMIN = Principal("acme", "alma", Grants.of(Role.ADMIN), "key-1")
ONE, SENT = identifier(1), identifier(2)
SECRET = "whsec_" + "a" * 44
EVIL = '"><script>alert(1)</script>'


def webhook(**more: Any) -> dict[str, Any]:
    return {
        "id": ONE, "organization_id": "acme", "version": 3, "name": "Approvers", "url": "https://hooks.example/a",
        "filter": {"reasons": ["awaiting_approval"]}, "status": "active", "status_reason": None, "failures": 0,
        "failing_since": None, "last_delivered_at": at(minutes=3), "previous_secret_until": None,
        "created_at": at(days=2), "created_by": "alma", "updated_at": at(days=1), "updated_by": "alma", **more,
    }  # fmt: skip


def delivery(**more: Any) -> dict[str, Any]:
    return {
        "id": SENT, "webhook_id": ONE, "event_id": "event-1", "event": "promotion.changed",
        "promotion_id": identifier(3), "status": "failed", "attempts": 7, "created_at": at(days=1),
        "next_attempt_at": None, "deadline_at": at(), "ended_at": at(minutes=1), "last_attempt_at": at(minutes=1),
        "last_duration_ms": 12, "last_status": 500, "last_error": "the answer is 500", "last_answer": "oh no", **more,
    }  # fmt: skip


def answers(**more: Any) -> dict[str, Any]:
    return {
        "/webhooks": {"items": [webhook()], "next_cursor": None},
        f"/webhooks/{ONE}": webhook(),
        f"/webhooks/{ONE}/deliveries": {"items": [delivery()], "next_cursor": None},
        **more,
    }


async def test_the_list_shows_each_with_its_state() -> None:
    api = StandIn(answers(), ADMIN)

    shown = await api.open("/webhooks")

    assert "what waits for approval" in shown.text
    assert "https://hooks.example/a" in shown.text


async def test_the_menu_names_them_to_administrators_alone() -> None:
    approver = Principal("acme", "alice", Grants.of(Role.APPROVER), "key-2")
    of_staging = Principal("acme", "sam", Grants.of(Grant(Role.ADMIN, "staging")), "key-3")

    menus = [(await StandIn({}, person).open("/")).text for person in (ADMIN, approver, of_staging)]

    assert ['href="/webhooks"' in menu for menu in menus] == [True, False, False]


async def test_who_may_not_see_them_is_told_so() -> None:
    api = StandIn({"/webhooks": (403, {"type": "x:forbidden", "detail": "this needs the role admin"})})

    shown = await api.open("/webhooks")

    assert (shown.status, "this needs the role admin" in shown.text) == (200, True)


async def test_one_is_shown_with_what_was_sent() -> None:
    api = StandIn(answers(), ADMIN)

    shown = await api.open(f"/webhooks/{ONE}")

    assert "the answer is 500" in shown.text
    assert "7 attempts" in shown.text
    assert f"/webhooks/{ONE}/deliveries/{SENT}/redeliver" in shown.text


async def test_one_that_is_disabled_says_why_and_offers_no_test() -> None:
    disabled = webhook(status="disabled", status_reason="it answered 410 Gone")
    api = StandIn(answers(**{f"/webhooks/{ONE}": disabled}), ADMIN)

    shown = await api.open(f"/webhooks/{ONE}")

    assert "it answered 410 Gone" in shown.text
    assert "Send a test" not in shown.text
    assert "redeliver" not in shown.text


async def test_a_new_one_shows_its_secret_once_and_the_page_is_never_fetched_again() -> None:
    api = StandIn({"/webhooks": webhook(secret=SECRET)}, ADMIN)

    shown = await api.open(
        "/webhooks/save", method="POST", form="name=A&url=https://hooks.example&of=waiting&environment=production"
    )

    assert SECRET in shown.text
    assert "data-live" not in shown.text
    wanted = {"reasons": ["awaiting_approval"], "target_environments": ["production"]}
    assert ("POST", "/webhooks", {"name": "A", "url": "https://hooks.example", "filter": wanted}) in api.asked


async def test_a_new_secret_is_shown_once() -> None:
    rotated = {f"/webhooks/{ONE}/rotate-secret": webhook(secret=SECRET)}
    api = StandIn(answers(**rotated), ADMIN)

    page = await api.open(f"/webhooks/{ONE}")
    shown = await api.open(f"/webhooks/{ONE}/rotate-secret", method="POST", form="version=3&old_secret=day")

    assert 'name="version" value="3"' in page.text
    assert SECRET in shown.text
    assert api.if_match == ['"3"']


@pytest.mark.parametrize(
    ("choice", "overlap_seconds", "until", "said"),
    [("day", 86_400, at(days=-1), "Old secrets sign too, until"), ("now", 0, None, "No old secret signs any more.")],
)
async def test_the_old_secret_stays_for_a_day_or_ends_at_once(
    choice: str, overlap_seconds: int, until: str | None, said: str
) -> None:
    path = f"/webhooks/{ONE}/rotate-secret"
    api = StandIn(answers(**{path: webhook(secret=SECRET, version=4, previous_secret_until=until)}), ADMIN)

    page = await api.open(f"/webhooks/{ONE}")
    shown = await api.open(path, method="POST", form=f"version=3&old_secret={choice}")

    assert f'type="radio" name="old_secret" value="{choice}"' in page.text
    assert ("POST", path, {"overlap_seconds": overlap_seconds}) in api.asked
    assert said in shown.text


@pytest.mark.parametrize("form", ["version=3", "version=3&old_secret=", "version=3&old_secret=never"])
async def test_no_secret_is_made_where_it_is_not_said_when_the_old_one_ends(form: str) -> None:
    api = StandIn(answers(**{f"/webhooks/{ONE}/rotate-secret": webhook(secret=SECRET)}), ADMIN)

    shown = await api.open(f"/webhooks/{ONE}/rotate-secret", method="POST", form=form)

    assert (shown.status, shown.headers["location"]) == (303, [f"/webhooks/{ONE}"])
    assert [asked for asked in api.asked if asked[0] == "POST"] == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(412, "version_mismatch", "It was changed meanwhile"), (409, "too_many_secrets", "4 old secrets sign still")],
)
async def test_a_new_secret_that_is_refused_says_why(status: int, code: str, said: str) -> None:
    refusal = {"type": f"urn:promotion:problem:{code}", "detail": "4 old secrets sign still"}
    api = StandIn(answers(**{f"/webhooks/{ONE}/rotate-secret": (status, refusal)}), ADMIN)

    shown = await api.open(f"/webhooks/{ONE}/rotate-secret", method="POST", form="version=2&old_secret=day")

    assert (shown.status, shown.headers["location"]) == (303, [f"/webhooks/{ONE}"])
    notice = shown.headers["set-cookie"][0].removeprefix("notice=").partition(".")[0]
    assert said in base64.urlsafe_b64decode(f"{notice}==").decode()


@pytest.mark.parametrize("form", ["", "version=", "version=1x", "version=%C2%B2", "version=%0D%0A"])
async def test_what_is_no_version_is_never_as_if_none_were_asked_for(form: str) -> None:
    rotated = {f"/webhooks/{ONE}/rotate-secret": webhook(secret=SECRET)}
    api = StandIn(answers(**rotated), ADMIN)

    await api.open(f"/webhooks/{ONE}/rotate-secret", method="POST", form=f"old_secret=day&{form}")

    assert api.if_match == ['"0"']


async def test_what_is_wrong_stands_beside_the_field_and_what_was_written_stays() -> None:
    errors = [{"path": "/url", "code": "wrong_url", "message": "is private", "hint": "take another"}]
    api = StandIn({"/webhooks": (422, {"type": "x", "detail": "wrong", "errors": errors})}, ADMIN)

    shown = await api.open("/webhooks/save", method="POST", form="name=Mine&url=https://10.0.0.1&of=glass")

    assert shown.status == 422
    assert 'aria-describedby="wrong-url"' in shown.text
    assert "is private; take another" in shown.text
    assert 'value="Mine"' in shown.text
    assert '<option value="glass" selected>' in shown.text


@pytest.mark.parametrize(("command", "status"), [("enable", "active"), ("disable", "disabled")])
async def test_switching_keeps_the_rest(command: str, status: str) -> None:
    api = StandIn(answers(), ADMIN)

    await api.open(f"/webhooks/{ONE}/{command}", method="POST", form="")

    kept = {name: webhook()[name] for name in ("name", "url", "filter")}
    assert ("PUT", f"/webhooks/{ONE}", {**kept, "status": status}) in api.asked
    assert api.if_match == ['"3"']


@pytest.mark.parametrize(
    "came",
    [
        {"status": "delivered", "last_status": 204, "last_error": None},
        {"status": "waiting", "last_error": "no answer within 15 s"},
    ],
)
async def test_after_a_test_it_is_said_what_came_of_it(came: dict[str, Any]) -> None:
    sent = delivery(status="waiting", attempts=0, last_error=None)
    more = {f"/webhooks/{ONE}/test": sent, f"/webhooks/{ONE}/deliveries/{SENT}": delivery(**came)}
    api = StandIn(answers(**more), ADMIN)

    shown = await api.open(f"/webhooks/{ONE}/test", method="POST", form="")

    assert shown.headers["location"] == [f"/webhooks/{ONE}"]
    assert "notice=" in shown.headers["set-cookie"][0]
    assert ("GET", f"/webhooks/{ONE}/deliveries/{SENT}", None) in api.asked


async def test_there_are_no_commands_but_the_known_ones() -> None:
    api = StandIn(answers(), ADMIN)

    await api.open(f"/webhooks/{ONE}/deliveries", method="POST", form="")

    assert api.asked == []


async def test_hostile_text_is_only_ever_text() -> None:
    hostile = webhook(name=EVIL, url=EVIL, status="disabled", status_reason=EVIL)
    log = {"items": [delivery(last_error=EVIL, last_answer=EVIL)], "next_cursor": None}
    api = StandIn(answers(**{f"/webhooks/{ONE}": hostile, f"/webhooks/{ONE}/deliveries": log}), ADMIN)

    shown = await api.open(f"/webhooks/{ONE}")

    assert shown.status == 200
    assert "<script>alert" not in shown.text


@pytest.mark.parametrize("offered", OFFERED)
def test_what_a_form_offers_is_told_in_its_own_words(offered: str) -> None:
    assert wants(filter_of(offered, "")) == OFFERED[offered][0]


def test_another_filter_is_told_part_by_part() -> None:
    wanted = {"statuses": ["failed", "rejected"], "target_environments": ["staging"], "break_glass": None}

    assert wants(wanted) == "is failed or rejected, to staging"


def test_of_a_filter_of_a_newer_version_it_is_said_that_it_asks_for_more() -> None:
    assert wants({"statuses": ["failed"], "colours": ["red"]}) == "is failed, what only a newer version can tell"


def test_an_environment_is_told_beside_what_a_form_offers() -> None:
    assert wants(filter_of("waiting", "production")) == "what waits for approval, to production"


def test_a_state_never_rests_on_colour_alone() -> None:
    standings = [
        standing_of(webhook()), standing_of(webhook(failures=3, failing_since=at(hours=1))),
        standing_of(webhook(status="disabled")), standing_of(webhook(status="disabled", status_reason="it is gone")),
    ]  # fmt: skip

    assert [standing.sign for standing in standings] == ["✓", "!", "–", "✗"]
    assert standings[1].label == "Fails: 3 attempts in a row"


def one(**more: Any) -> dict[str, Any]:
    here = f"/promotions/{ONE}"
    return {
        here: promotion(**more),
        f"{here}/history": {"items": [entry()], "next_cursor": None},
        f"{here}/explain": explanation(),
        f"{here}/break-glass": promotion(status="approved", status_reason="executing"),
    }


async def test_the_glass_is_there_for_administrators_alone() -> None:
    administrator, other = StandIn(one(), ADMIN), StandIn(one())

    shown = await administrator.open(f"/promotions/{ONE}")
    hidden = await other.open(f"/promotions/{ONE}")

    assert 'popovertarget="break-glass"' in shown.text
    assert "break-glass" not in hidden.text


async def test_where_there_is_nothing_to_break_there_is_no_glass() -> None:
    executing = StandIn(one(status="approved", status_reason="executing"), ADMIN)

    assert "break-glass" not in (await executing.open(f"/promotions/{ONE}")).text


async def test_breaking_it_sends_the_reason_and_says_what_came_of_it() -> None:
    api = StandIn(one(), ADMIN)

    shown = await api.open(f"/promotions/{ONE}/break-glass", method="POST", form="reason=production+is+down")

    assert ("POST", f"/promotions/{ONE}/break-glass", {"reason": "production is down"}) in api.asked
    assert shown.headers["location"] == [f"/promotions/{ONE}"]


async def test_a_vote_that_broke_it_stands_out() -> None:
    broken = vote("alma", override_conditions=True, break_glass=True, reason="production is down")
    api = StandIn(one(status="completed", status_reason="deployed", votes=[broken]), ADMIN)

    assert "broke the glass" in (await api.open(f"/promotions/{ONE}")).text
