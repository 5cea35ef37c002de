"""The command line: what it sends, what it prints, and the status that it ends with."""

import io
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from studio.cli import run
from studio.cli.app import app
from studio.cli.output import show_rows
from studio.cli.promotions import COLUMNS
from tests.unit.studio.fake_api import COMPLETED, DEPLOYMENT, PROMOTION_ID, RULE, FakeApi, problem, promotion

HERE = f"/promotions/{PROMOTION_ID}"
RULE_PATH = f"/promotions/rules/{RULE['id']}"
Capture = pytest.CaptureFixture[str]
CREATE = ("create", "--agent", "agent-123", "--deployment", "dep-456", "--to", "production")
AWAITING = promotion(status_reason="awaiting_approval", required_approvers=2, version=2)
REJECTED = promotion(status="rejected", status_reason="rejected", version=2)
FAILED = promotion(status="failed", status_reason="gateway_refused", version=4)


def page(*items: object) -> dict[str, object]:
    return {"items": list(items), "next_cursor": None}


def test_where_nobody_looks_a_list_is_tab_separated(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("GET", "/promotions", page(COMPLETED))

    status = run(["list", "--status", "completed", "--agent", "agent-123"])

    fields = capsys.readouterr().out.rstrip("\n").split("\t")
    assert status == 0
    assert fields[0] == PROMOTION_ID
    assert fields[5] == "completed"
    assert api_elsewhere.asked[0].query == {"status": "completed", "agent_id": "agent-123", "limit": "50"}


@pytest.mark.parametrize(("output", "parse"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_json_and_yaml_show_what_the_api_said(
    api_elsewhere: FakeApi, capsys: Capture, output: str, parse: object
) -> None:
    api_elsewhere.plan("GET", "/promotions", page(COMPLETED | {"not_known_yet": 1}))

    run(["list", "-o", output])

    assert parse(capsys.readouterr().out)["items"][0]["not_known_yet"] == 1  # type: ignore[operator]


def test_control_characters_never_reach_the_terminal(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("GET", "/promotions", page(COMPLETED | {"agent_id": "a\x1b[31m\tb\nc"}))

    run(["list"])

    assert "a [31m b c" in capsys.readouterr().out


def test_creating_sends_the_wish_for_the_person_named(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("POST", "/promotions", promotion())

    status = run([*CREATE, "--gateway", "gw-789", "--as", "user-1", "--idempotency-key", "k1"])

    (asked,) = api_elsewhere.asked
    assert status == 0
    assert asked.body == {
        "agent_id": "agent-123",
        "source_deployment_id": "dep-456",
        "target_environment": "production",
        "target_gateway_id": "gw-789",
    }
    assert (asked.headers["On-Behalf-Of"], asked.headers["Idempotency-Key"]) == ("user-1", "k1")
    assert PROMOTION_ID in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ended", "status"),
    [(COMPLETED, 0), (REJECTED, 6), (FAILED, 7), (AWAITING, 8)],
    ids=["completed", "rejected", "failed", "waits"],
)
def test_waiting_ends_with_the_status_that_says_how_it_ended(
    api_elsewhere: FakeApi, capsys: Capture, ended: dict[str, object], status: int
) -> None:
    api_elsewhere.plan("POST", "/promotions", promotion())
    api_elsewhere.plan("GET", HERE, promotion(), ended)

    assert run([*CREATE, "--wait"]) == status
    assert str(ended["status_reason"]) in capsys.readouterr().err


def test_waiting_too_long_ends_with_its_own_status(api_elsewhere: FakeApi) -> None:
    api_elsewhere.plan("GET", HERE, promotion())

    assert run(["watch", PROMOTION_ID, "--timeout", "0"]) == 9


def test_watching_goes_on_while_people_are_waited_for(api_elsewhere: FakeApi) -> None:
    api_elsewhere.plan("GET", HERE, AWAITING, AWAITING, COMPLETED)

    assert run(["watch", PROMOTION_ID]) == 0


def test_several_promotions_are_approved_at_once(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("POST", f"{HERE}/approve", AWAITING)

    status = run(["approve", PROMOTION_ID, PROMOTION_ID, "--reason", "looks good"])

    assert status == 0
    assert [asked.body for asked in api_elsewhere.asked] == [{"reason": "looks good"}] * 2
    assert capsys.readouterr().out.count(PROMOTION_ID) == 2


def test_an_override_is_sent_as_one(api_elsewhere: FakeApi) -> None:
    api_elsewhere.plan("POST", f"{HERE}/approve", AWAITING)

    run(["approve", PROMOTION_ID, "--override-conditions", "--reason", "incident 12"])

    assert api_elsewhere.asked[0].body == {"reason": "incident 12", "override_conditions": True}


def test_rejecting_needs_a_reason(api_elsewhere: FakeApi) -> None:
    assert run(["reject", PROMOTION_ID]) == 2
    assert api_elsewhere.asked == []


@pytest.mark.parametrize("command", ["reject", "cancel"])
def test_ending_a_promotion_sends_the_reason(api_elsewhere: FakeApi, command: str) -> None:
    api_elsewhere.plan("POST", f"{HERE}/{command}", REJECTED)

    assert run([command, PROMOTION_ID, "--reason", "no"]) == 0
    assert api_elsewhere.asked[0].body == {"reason": "no"}


def test_executing_and_waiting_ends_when_it_is_deployed(api_elsewhere: FakeApi) -> None:
    api_elsewhere.plan("POST", f"{HERE}/execute", promotion(status="approved", status_reason="executing"))
    api_elsewhere.plan("GET", HERE, COMPLETED)

    assert run(["execute", PROMOTION_ID, "--wait"]) == 0


def test_history_shows_who_acted_for_whom(api_elsewhere: FakeApi, capsys: Capture) -> None:
    entry = {
        "version": 1,
        "previous_status": None,
        "status": "pending",
        "status_reason": "evaluating",
        "status_message": "asked for",
        "actor": "user-1",
        "via": "delegate",
        "at": "2026-01-02T03:04:05Z",
        "evidence": {},
    }
    api_elsewhere.plan("GET", f"{HERE}/history", page(entry))

    run(["history", PROMOTION_ID])

    assert "user-1 via delegate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "status"), [(422, 2), (404, 3), (401, 4), (403, 4), (409, 5), (500, 1), (503, 10), (429, 10)]
)
def test_each_refusal_has_its_exit_status(api_elsewhere: FakeApi, capsys: Capture, answer: int, status: int) -> None:
    api_elsewhere.plan("GET", HERE, lambda: problem(answer, "code", "what was wrong"))

    assert run(["show", PROMOTION_ID]) == status
    assert "what was wrong" in capsys.readouterr().err


def test_an_api_that_is_away_ends_with_ten(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("PROMOTION_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PROMOTION_API_KEY", "pk_any")

    assert run(["list"]) == 10
    assert "127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["PROMOTION_URL", "PROMOTION_API_KEY"])
def test_what_is_not_configured_is_named(
    api_elsewhere: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: Capture, missing: str
) -> None:
    monkeypatch.delenv(missing)

    assert run(["list"]) == 2
    assert missing in capsys.readouterr().err


def test_a_rule_is_made_from_a_file(api_elsewhere: FakeApi, tmp_path: Path, capsys: Capture) -> None:
    api_elsewhere.plan("POST", "/promotions/rules", RULE)
    file = tmp_path / "rule.yaml"
    file.write_text("name: two people\nsource_environment: staging\ntarget_environment: production\n")

    assert run(["rules", "create", str(file)]) == 0
    assert api_elsewhere.asked[0].body["name"] == "two people"
    assert str(RULE["id"]) in capsys.readouterr().out


def test_disabling_a_rule_changes_nothing_else_and_nobody_elses_change(api_elsewhere: FakeApi) -> None:
    api_elsewhere.plan("GET", RULE_PATH, RULE)
    api_elsewhere.plan("PUT", RULE_PATH, RULE | {"status": "disabled", "version": 4})

    assert run(["rules", "disable", str(RULE["id"])]) == 0

    put = api_elsewhere.asked[1]
    assert put.body["status"] == "disabled"
    assert put.body["required_approvers"] == 2
    assert put.headers["If-Match"] == '"3"'
    assert "version" not in put.body


def test_updating_a_rule_keeps_what_the_file_leaves_out(api_elsewhere: FakeApi, tmp_path: Path) -> None:
    api_elsewhere.plan("GET", RULE_PATH, RULE)
    api_elsewhere.plan("PUT", RULE_PATH, RULE)
    file = tmp_path / "rule.json"
    file.write_text('{"required_approvers": 3}')

    run(["rules", "update", str(RULE["id"]), str(file)])

    body = api_elsewhere.asked[1].body
    assert (body["required_approvers"], body["name"]) == (3, "two people")


def test_rules_are_listed_shown_and_deleted(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("GET", "/promotions/rules", page(RULE))
    api_elsewhere.plan("GET", RULE_PATH, RULE)
    api_elsewhere.plan("DELETE", RULE_PATH, {})

    assert [run(["rules", *rest]) for rest in (["list"], ["show", RULE["id"]], ["delete", RULE["id"]])] == [0, 0, 0]
    assert "two people" in capsys.readouterr().out


def test_deployments_gateways_and_environments_are_listed(api_elsewhere: FakeApi, capsys: Capture) -> None:
    gateway = {
        "gateway_id": "gw-789",
        "organization_id": "acme",
        "name": "gw-789",
        "environment": "production",
        "url": "http://127.0.0.1:1",
        "has_credential": False,
        "is_default": True,
        "max_concurrency": 64,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
    }
    api_elsewhere.plan("GET", "/deployments", page(DEPLOYMENT))
    api_elsewhere.plan("GET", "/gateways", page(gateway))
    api_elsewhere.plan("GET", "/environments", {"names": ["development", "staging", "production"]})

    assert [run([name]) for name in ("deployments", "gateways", "environments")] == [0, 0, 0]

    out = capsys.readouterr().out
    assert all(word in out for word in ("dep-new", "gw-789", "development\nstaging\nproduction"))


def test_events_are_sent_from_a_file_with_their_times_untouched(
    api_elsewhere: FakeApi, tmp_path: Path, capsys: Capture
) -> None:
    api_elsewhere.plan("POST", "/events", page({"id": "e1", "type": "t", "status": "accepted"}))
    file = tmp_path / "event.yaml"
    file.write_text("id: e1\ntime: 2026-01-02T03:04:05Z\n")

    assert run(["events", "send", str(file)]) == 0

    (asked,) = api_elsewhere.asked
    assert asked.body == [{"id": "e1", "time": "2026-01-02T03:04:05Z"}]
    assert asked.headers["Content-Type"] == "application/cloudevents-batch+json"


@pytest.mark.parametrize("content", ["- 1\n", "[]", "{: :"])
def test_a_file_without_events_is_a_usage_error(api_elsewhere: FakeApi, tmp_path: Path, content: str) -> None:
    file = tmp_path / "event.yaml"
    file.write_text(content)

    assert run(["events", "send", str(file)]) == 2


def test_the_doctor_says_what_to_do(api_elsewhere: FakeApi, capsys: Capture) -> None:
    api_elsewhere.plan("GET", "/readyz", lambda: problem(503, "not_ready", "kafka: not consuming"))
    api_elsewhere.plan("GET", "/gateways", page())

    assert run(["doctor"]) == 1

    out = capsys.readouterr().out
    assert "✗ the API" in out
    assert "✗ gateways are registered" in out
    assert "✓ the API key is valid" in out


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["show"], ["list", "--nonsense"], ["list", "-o", "xml"], ["up", "--port", "99999"]]
)
def test_a_wrong_command_line_ends_with_two(arguments: list[str]) -> None:
    assert run(arguments) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--before", "2025-13"],
        ["--before", "yesterday"],
        ["--before", "9998-01"],
        ["--keep-months", "-1"],
        ["--keep-months", "x"],
        ["--before", "2025-01", "--keep-months", "3"],
    ],
)
def test_only_months_that_are_over_are_let_go(arguments: list[str], capsys: Capture) -> None:
    assert run(["audit", "detach", *arguments]) == 2
    assert "month" in capsys.readouterr().err


def test_help_needs_less_than_half_a_second_of_processor_time() -> None:
    program = Path(sys.executable).with_name("promotion")
    subprocess.run([program, "--help"], check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    done = subprocess.run([program, "--help"], check=True, capture_output=True, text=True)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Ask for a promotion." in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from studio.cli import run; run(['--help']); print(sorted(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert not any(
        f"'{heavy}'" in done.stdout for heavy in ("aiohttp", "pydantic", "sqlalchemy", "fastapi", "aiokafka")
    )


def test_every_command_has_its_code_and_its_help() -> None:
    for name in app:
        assert app[name].help, name


def test_the_table_never_cuts_an_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")

    show_rows([COMPLETED], COLUMNS, "table")

    assert PROMOTION_ID in terminal.getvalue()
