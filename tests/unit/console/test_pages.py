"""Pages over a stand-in for the API: what they ask it, what they show, what they refuse."""

from typing import Any

import pytest

from schemas.vocabulary import Role
from services.platform.grants import Grants
from services.platform.identity import Principal
from studio.console.pages.inbox import SHOWN
from tests.unit.console.examples import entry, explanation, identifier, promotion, vote
from tests.unit.console.stand_in import StandIn

ONE = identifier(1)
UNSAFE = ["/promotions/1/approve", "/inbox/approve", "/rules/save", "/rules/check", "/sign-in", "/sign-out",
          "/agents/a/promote", "/dead-letters/1/replay", "/rules/1/delete"]  # fmt: skip


def one_promotion(**more: Any) -> dict[str, Any]:
    shown = promotion(**more)
    return {
        f"/promotions/{ONE}": shown,
        f"/promotions/{ONE}/history": {"items": [entry()], "next_cursor": None},
        f"/promotions/{ONE}/explain": explanation(),
        f"/promotions/{ONE}/approve": {**shown, "votes": [*shown["votes"], vote("alice")]},
        f"/promotions/{ONE}/reject": {**shown, "status": "rejected", "status_reason": "rejected"},
    }


def audited(sequence: int) -> dict[str, Any]:
    more = {"sequence": sequence, "promotion_id": ONE, "agent_id": "a", "target_environment": "b", "hash": "ab" * 32}
    return {**entry(), **more}


@pytest.mark.parametrize("path", UNSAFE)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
async def test_what_another_site_posts_reaches_nothing(path: str, site: str) -> None:
    api = StandIn(one_promotion())

    shown = await api.open(path, method="POST", form="reason=x", headers={"sec-fetch-site": site})

    assert shown.status == 403
    assert api.asked == []


async def test_every_page_carries_the_policy_and_is_never_kept() -> None:
    api = StandIn(one_promotion())

    for path in ("/", "/inbox", "/promotions", f"/promotions/{ONE}", "/sign-in", "/promotions/nothing", "/docs"):
        shown = await api.open(path)
        assert shown.headers["content-security-policy"][0].startswith("default-src 'none'"), path
        assert shown.headers["cache-control"] == ["no-store"], path
        assert "style=" not in shown.text, path
        assert "onclick" not in shown.text, path


async def test_files_are_kept_for_ever_under_the_name_of_their_content() -> None:
    api = StandIn({})

    shown = await api.open("/console/console.css")

    assert shown.status == 200
    assert "immutable" in shown.headers["cache-control"][0]
    assert (await api.open("/console/../app.py")).status == 404


async def test_a_command_is_the_apis_and_its_answer_is_told() -> None:
    api = StandIn(one_promotion())

    shown = await api.open(f"/promotions/{ONE}/approve", method="POST", form="back=/inbox")

    assert (shown.status, shown.headers["location"]) == (303, ["/inbox"])
    assert ("POST", f"/promotions/{ONE}/approve", {}) in api.asked
    assert "HttpOnly" in shown.headers["set-cookie"][0]


async def test_a_promotion_whose_history_was_let_go_is_shown_and_says_so() -> None:
    gone = {"type": "urn:promotion:problem:history_let_go", "status": 410, "detail": "it was let go with 2031-01"}
    api = StandIn({**one_promotion(), f"/promotions/{ONE}/history": (410, gone)})

    shown = await api.open(f"/promotions/{ONE}")

    assert shown.status == 200
    assert "it was let go with 2031-01" in shown.text


CUT = {"month": "2031-01", "sequence": 8, "hash": "ab" * 32, "entries": 4, "kept": 4, "actor": "database:owner",
       "at": "2031-06-01T00:00:00Z"}  # fmt: skip


@pytest.mark.parametrize(
    ("sequences", "following", "said"), [([9], None, True), ([9, 5], "x", True), ([9], "x", False), ([], None, True)]
)
async def test_the_audit_says_where_it_is_not_all(sequences: list[int], following: str | None, said: bool) -> None:
    entries = [audited(sequence) for sequence in sequences]
    api = StandIn({"/audit": {"items": entries, "next_cursor": following, "cut": CUT}})

    shown = await api.open("/audit")

    assert shown.status == 200
    assert ("Up to No. 8 this is not all" in shown.text) == said


async def test_an_override_takes_its_reason_along() -> None:
    api = StandIn(one_promotion())

    await api.open(f"/promotions/{ONE}/approve", method="POST", form="override_conditions=1&reason=by+hand")

    body = {"override_conditions": True, "reason": "by hand"}
    assert ("POST", f"/promotions/{ONE}/approve", body) in api.asked


async def test_nobody_is_sent_elsewhere_after_a_command() -> None:
    api = StandIn(one_promotion())

    shown = await api.open(f"/promotions/{ONE}/approve", method="POST", form="back=//evil.example")

    assert shown.headers["location"] == ["/"]


async def test_there_are_no_commands_but_the_known_ones() -> None:
    api = StandIn(one_promotion())

    await api.open(f"/promotions/{ONE}/history", method="POST", form="")

    assert api.asked == []


async def test_more_than_are_ever_shown_are_not_decided_on_at_once() -> None:
    api = StandIn(one_promotion())

    shown = await api.open("/inbox/approve", method="POST", form="&".join([f"promotion={ONE}"] * (SHOWN + 1)))

    assert (shown.status, shown.headers["location"]) == (303, ["/inbox"])
    assert api.asked == []


async def test_several_are_told_apart_when_some_are_refused() -> None:
    late = (409, {"type": "urn:promotion:problem:too_late", "detail": "it is completed already"})
    api = StandIn({**one_promotion(), f"/promotions/{identifier(2)}/approve": late})

    shown = await api.open("/inbox/approve", method="POST", form=f"promotion={ONE}&promotion={identifier(2)}")

    assert shown.headers["location"] == ["/inbox"]
    assert [asked[1] for asked in api.asked] == [f"/promotions/{ONE}/approve", f"/promotions/{identifier(2)}/approve"]


@pytest.mark.parametrize(
    ("status", "heading"), [(403, "Not allowed"), (404, "There is nothing here"), (503, "Not available now")]
)
async def test_what_the_api_refuses_is_a_page_with_its_reason(status: int, heading: str) -> None:
    api = StandIn({"/board": (status, {"type": "x", "detail": "the <reason> of it"})})

    shown = await api.open("/")

    assert shown.status == status
    assert heading in shown.text
    assert "the &lt;reason&gt; of it" in shown.text


async def test_hostile_text_is_only_ever_text() -> None:
    evil = '"><script>alert(1)</script>'
    api = StandIn(one_promotion(agent_id=evil, status_message=evil, created_by=evil, rejection_reason=evil))

    shown = await api.open(f"/promotions/{ONE}")

    assert shown.status == 200
    assert "<script>alert" not in shown.text


async def test_a_viewer_is_not_asked_about_what_waits() -> None:
    api = StandIn({}, Principal("acme", "vera", Grants.of(Role.VIEWER), "key-2"))

    shown = await api.open("/")

    assert "/promotions" not in [path for _, path, _ in api.asked]
    assert "<title>Board · Promotion</title>" in shown.text


async def test_the_title_counts_what_waits_for_this_person_alone() -> None:
    waiting = [promotion(1), promotion(2, created_by="alice"), promotion(3, votes=[vote("alice")]), promotion(4)]
    api = StandIn({"/promotions": {"items": waiting, "next_cursor": None}})

    shown = await api.open("/")

    assert "<title>(2) Board · Promotion</title>" in shown.text


async def test_identifiers_stay_within_their_segment() -> None:
    api = StandIn({})

    shown = await api.open("/promotions/..%2frules")

    assert shown.status == 404
    assert all(path.startswith("/promotions") for _, path, _ in api.asked)


@pytest.mark.parametrize(
    ("version", "sent"), [("3", '"3"'), ("", '"0"'), ("1x", '"0"'), ("%C2%B2", '"0"'), ("%0D%0A", '"0"')]
)
async def test_a_rule_is_saved_at_the_version_that_was_shown_and_never_without_one(version: str, sent: str) -> None:
    api = StandIn({f"/promotions/rules/{ONE}": {"id": ONE, "name": "Into production", "version": 4}})

    await api.open(
        "/rules/save", method="POST", form=f"id={ONE}&version={version}&required_approvers=1&expires_after_days=30"
    )

    assert api.if_match == [sent]


async def test_a_form_of_another_kind_is_refused() -> None:
    api = StandIn(one_promotion())

    shown = await api.open(
        f"/promotions/{ONE}/approve", method="POST", form="{}", headers={"content-type": "application/json"}
    )

    assert shown.status == 415
