"""What the pages show, made of API answers."""

from datetime import timedelta

import pytest

from schemas.vocabulary import Role, StatusReason
from services.platform.grants import Grant, Grants
from services.platform.identity import Principal
from studio.console.views import agent, board, inbox, permissions, rules, timeline
from studio.console.views.commands import told
from studio.console.views.explanation import leaves, tree
from studio.console.views.health import processes
from studio.console.views.moments import ago, exact, span
from studio.console.views.words import standing
from tests.unit.console.examples import (
    NOW,
    at,
    board_promotion,
    deployment,
    entry,
    explanation,
    leaf,
    promotion,
    slot,
    vote,
)

ENVIRONMENTS = ["development", "staging", "production"]
ALICE = Principal("acme", "alice", Grants.of(Role.APPROVER), "key")


def cell(*slots: dict[str, object], place: int = 2) -> list[board.Slot]:
    return list(board.rows([{"agent_id": "a", "slots": list(slots)}], ENVIRONMENTS)[0].cells[place])


def test_a_cell_shows_what_completed_last_and_below_it_what_was_asked_last() -> None:
    [shown] = cell(slot("production", "2.3.9", under_way=board_promotion()))

    assert shown.live is not None
    assert shown.live["version"] == "2.3.9"
    assert [line.text for line in shown.lines] == ["2.4.0, waits for 1 more approval"]


def test_the_first_approval_that_is_missing_is_not_one_more() -> None:
    [shown] = cell(slot("production", None, under_way=board_promotion(approvals=0)))

    assert shown.lines[0].text == "2.4.0, waits for 2 approvals"


def test_a_cell_points_to_a_newer_version_upstream() -> None:
    [shown] = cell(
        slot("staging", "2.4.0"), slot("production", "2.3.9", live=deployment(version="2.3.9", deployed_at=at(days=3)))
    )

    assert (shown.newer, shown.newer_in) == ("2.4.0", "staging")


@pytest.mark.parametrize(
    "here",
    [
        {"version": "2.4.0", "deployed_at": at(days=3)},
        {"version": "2.5.0", "deployed_at": at(minutes=1)},
    ],
)
def test_what_is_the_same_or_older_upstream_is_not_newer(here: dict[str, object]) -> None:
    [shown] = cell(slot("staging", "2.4.0"), slot("production", "x", live=deployment(**here)))

    assert shown.newer is None


def test_the_same_digest_under_another_name_is_not_newer() -> None:
    upstream = slot("staging", "2.4.0", live=deployment(digest="sha256:1"))
    [shown] = cell(
        upstream, slot("production", "x", live=deployment(digest="sha256:1", version="stable", deployed_at=at(days=9)))
    )

    assert shown.newer is None


def test_an_environment_where_nothing_runs_points_upstream() -> None:
    [shown] = cell(slot("staging", "2.4.0"))

    assert (shown.live, shown.newer) == (None, "2.4.0")


def test_gateways_are_named_where_there_are_several() -> None:
    shown = cell(slot("production", "1"), slot("production", "2", gateway_id="gw-2"))

    assert [one.gateway for one in shown] == ["gw-production", "gw-2"]


def test_every_reason_has_words_and_a_sign_of_its_own_besides_colour() -> None:
    shown = {reason: standing({"status_reason": reason}) for reason in StatusReason}

    assert len({one.label for one in shown.values()}) == len(shown)
    assert all(one.sign.strip() for one in shown.values())
    assert {one.sign for one in shown.values() if one.tone == "bad"} == {"✗"}


def test_a_reason_that_is_newer_than_the_console_is_shown_as_it_is() -> None:
    assert standing({"status_reason": "frozen_by_calendar"}).label == "frozen by calendar"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"created_by": "ALICE"}, "You asked for it yourself; somebody else has to approve."),
        ({"votes": [vote("Alice")]}, "You have voted already."),
        ({"status": "completed"}, "It is decided already."),
        ({"status_reason": "evaluating"}, "Its rules are still being evaluated."),
    ],
)
def test_a_button_that_may_not_be_pressed_says_why(changes: dict[str, object], why: str | None) -> None:
    assert permissions.why_not_approve(ALICE, promotion(**changes)) == why


def test_an_approver_of_staging_does_not_approve_for_production() -> None:
    bound = Principal("acme", "alice", Grants.of(Grant(Role.APPROVER, "staging")), "key")

    assert permissions.why_not_approve(bound, promotion()) == "Your key does not have the role approver for production."
    assert permissions.why_not_reject(bound, promotion()) == "Your key does not have the role approver for production."
    assert permissions.why_not_approve(bound, promotion(target_environment="staging")) is None


def test_taking_back_is_for_the_requester_and_administrators() -> None:
    rosa = Principal("acme", "rosa", Grants.of(Role.REQUESTER), "key")
    omar = Principal("acme", "omar", Grants.of(Role.REQUESTER), "key")
    admin = Principal("acme", "root", Grants.of(Role.ADMIN), "key")

    assert permissions.why_not_cancel(rosa, promotion()) is None
    assert permissions.why_not_cancel(admin, promotion()) is None
    assert permissions.why_not_cancel(omar, promotion()) == "Only rosa or an administrator may take it back."
    executing = promotion(status="approved", status_reason="executing")
    assert permissions.why_not_cancel(rosa, executing) == "It is being deployed; there is no way back from here."


def test_a_request_says_what_it_replaces_who_voted_and_by_which_rule() -> None:
    shown = inbox.request(
        ALICE, promotion(votes=[vote("bert")]), slots=[slot("production", "2.3.9")], explanation=explanation(), now=NOW
    )

    assert shown.replaced == "replaces 2.3.9"
    assert shown.votes == "1 of 2 approvals: bert"
    assert shown.rules == "Into production (version 3)"
    assert shown.is_mine


def test_where_nothing_runs_yet_nothing_is_replaced() -> None:
    assert inbox.replaced(promotion(), [slot("staging", "1")]) == "nothing runs there yet"
    assert inbox.replaced(promotion(target_gateway_id=None), []) == "the gateway is not known yet"


def test_conditions_are_held_not_held_or_without_data() -> None:
    nodes = explanation(
        leaf("tests.pass_rate", "true", observed_at=at(minutes=3)),
        leaf("metrics.error_rate", "false", op="lte", expected=0.01, actual=0.04),
        leaf("custom.signed", "unknown", op="eq", expected=True, actual=None, message="no value was observed yet"),
    )["now"]["rules"][0]["tree"]

    shown = leaves(nodes, NOW)

    assert [(one.sign, one.word) for one in shown] == [("✓", "holds"), ("✗", "does not hold"), ("?", "no data")]
    assert [one.text for one in shown] == [
        "tests.pass_rate ≥ 95", "metrics.error_rate ≤ 0.01", "custom.signed = true",
    ]  # fmt: skip
    assert [one.note for one in shown] == ["is 98.2, 3 min ago", "is 0.04", "no data: no value was observed yet"]
    assert tree(nodes, NOW).text == "All of"


@pytest.mark.parametrize(
    ("command", "after", "said"),
    [
        (
            "approve",
            {"votes": [vote("alice")]},
            "Your approval of invoice-reader 2.4.0 for production is recorded; it waits for 1 more approval.",
        ),
        (
            "approve",
            {"status": "approved", "status_reason": "queued"},
            "invoice-reader 2.4.0 is approved for production. It is not deployed yet.",
        ),
        (
            "reject",
            {"status": "rejected", "status_reason": "rejected"},
            "invoice-reader 2.4.0 will not go to production: rejected.",
        ),
    ],
)
def test_after_a_command_no_more_is_said_than_is_known(command: str, after: dict[str, object], said: str) -> None:
    assert told(command, promotion(**after)) == said


def test_a_timeline_begins_with_the_newest_and_names_who_acted_through_whom() -> None:
    shown = timeline.moments([entry(), entry(version=2, actor="bert", via="bot", evidence={"vote": "approve"})])

    assert [moment.actor for moment in shown] == ["bert (through bot)", "rosa"]
    assert shown[0].evidence == '{\n  "vote": "approve"\n}'
    assert shown[1].evidence == ""


def test_an_agents_history_says_how_long_each_ran_and_where_the_live_one_can_go() -> None:
    older = deployment(version="2.3.0", status="retired", deployed_at=at(days=5), retired_at=at(days=3))

    places = agent.places(ALICE, [deployment(), older], ENVIRONMENTS)

    staging = places[1]
    assert [ran.for_how_long for ran in staging.ran] == ["", "2 d"]
    assert staging.following == "production"
    assert staging.why_not == "Your key does not have the role requester for production."
    assert places[2].following is None


def test_a_rule_is_said_in_words() -> None:
    rule = {
        "requires_approval": True, "required_approvers": 2, "auto_promote": True, "execution": "manual",
        "conditions": {"all": [{"field": "a.b"}, {"not": {"any": [{"field": "c.d"}]}}]},
    }  # fmt: skip

    assert rules.needs(rule) == "2 approvals, 2 conditions, asks by itself, executed by hand"


def test_rules_stand_in_the_order_of_their_hops() -> None:
    shared = {"status": "active", "requires_approval": False, "conditions": None, "auto_promote": False,
              "execution": "automatic", "required_approvers": 1}  # fmt: skip
    found = [
        {"name": "b", "source_environment": "staging", **shared},
        {"name": "z", "source_environment": "development", **shared},
        {"name": "gone", "source_environment": "laboratory", **shared},
    ]

    assert [item.rule["name"] for item in rules.listed(found, ENVIRONMENTS)] == ["z", "b", "gone"]


def test_processes_in_trouble_come_first_and_silence_is_trouble() -> None:
    well = {"service": "rules", "instance": "1", "ready": True, "silent": False, "lag": {"tests.completed": 3, "x": 0}}
    silent = {"service": "executor", "instance": "1", "ready": False, "silent": True, "lag": {}}

    shown = processes([well, silent])

    assert [process.standing.label for process in shown] == ["Silent", "Ready"]
    assert (shown[1].waiting, shown[1].by_topic) == (3, "tests.completed: 3")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.25, "250 ms"), (1, "1 s"), (5.25, "5.2 s"), (42, "42 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h"),
     (5400, "1 h 30 min"), (86400 * 2 + 3600, "2 d 1 h"), (86400 * 12, "12 d")],
)  # fmt: skip
def test_lengths_of_time_are_short(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_moments_are_said_from_now() -> None:
    assert ago(NOW - timedelta(seconds=2), NOW) == "just now"
    assert ago(at(minutes=40), NOW) == "40 min ago"
    assert ago(at(days=-30), NOW) == "in 30 d"
    assert exact(NOW) == "2026-03-02 12:00:00 UTC"
