"""The commands of those who ask why, try rules out and look after the system, on a running stack."""

import asyncio
import json
import os
import stat
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import yaml
from confluent_kafka import Producer

from schemas.topics import TESTS_COMPLETED
from tests.integration.studio.running import RunningStack, run_program, until

PASSING = {"field": "tests.pass_rate", "op": "gte", "value": 95}


@pytest.fixture
def deployment(stack: RunningStack) -> str:
    """A deployment of an agent of its own that runs in staging; the agent is called like it."""
    identifier = f"dep-{uuid4().hex[:8]}"
    stack.announce(identifier, agent_id=identifier, environment="staging")
    until(lambda: stack.knows(identifier))
    return identifier


@pytest.fixture
def rule(stack: RunningStack, tmp_path: Path) -> Iterator[str]:
    """The id of a rule from staging to production that asks for tests."""
    file = tmp_path / "rule.yaml"
    file.write_text(yaml.safe_dump(draft()))
    made = stack.command("rules", "create", str(file), "-o", "json")
    identifier = json.loads(made.stdout)["id"]
    yield identifier
    stack.command("rules", "delete", identifier)


def draft() -> dict[str, Any]:
    return {
        "name": "tested",
        "source_environment": "staging",
        "target_environment": "production",
        "requires_approval": True,
        "conditions": PASSING,
    }


def asked(stack: RunningStack, deployment: str) -> str:
    """A promotion to production that waits."""
    wish = ("--agent", deployment, "--deployment", deployment, "--to", "production", "-o", "json", "--wait")
    created = stack.command("create", *wish, identity="requester")
    identifier: str = json.loads(created.stdout)["id"]
    return identifier


def test_the_board_shows_what_runs_and_what_waits(stack: RunningStack, deployment: str) -> None:
    asked(stack, deployment)

    shown = stack.command("board", "--agent", deployment, identity="viewer")
    whole = stack.command("board", "--agent", deployment, "--moving", "-o", "json", identity="viewer")

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.rstrip("\n").split("\t") == [
        deployment,
        "-",
        "1.0.0",
        "nothing → 1.0.0 waits for approval 0 of 1",
    ]
    assert json.loads(whole.stdout)["items"][0]["slots"]


def test_why_something_waits_is_explained_as_a_tree(stack: RunningStack, deployment: str, rule: str) -> None:
    promotion = asked(stack, deployment)

    explained = stack.command("explain", promotion, identity="viewer")
    of_deployment = stack.command("explain", deployment, identity="viewer")
    machine = stack.command("explain", promotion, "-o", "yaml", identity="viewer")

    assert explained.returncode == 0, explained.stderr
    assert "pending (awaiting_approval)" in explained.stdout
    assert "  ? tests.pass_rate ≥ 95" in explained.stdout
    assert "What would move it:" in explained.stdout
    assert "? tested (active)" in of_deployment.stdout
    assert yaml.safe_load(machine.stdout)["promotion_id"] == promotion


def test_the_past_is_explained_and_what_is_unknown_is_status_three(stack: RunningStack, deployment: str) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    assert stack.command("explain", deployment, "--at", at, identity="viewer").returncode == 0
    assert stack.command("explain", deployment, "--at", "soon", identity="viewer").returncode == 2
    assert stack.command("explain", str(uuid4()), identity="viewer").returncode == 3
    assert stack.command("explain", deployment, identity="outsider").returncode == 3


def test_a_rule_is_replayed_from_a_file_or_by_its_id(stack: RunningStack, rule: str, tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(draft()))

    from_file = stack.command("rules", "backtest", str(file), "--since", "30d", "-o", "json", identity="viewer")
    by_id = stack.command("rules", "backtest", rule, "--since", "1d", identity="viewer")

    assert json.loads(from_file.stdout)["would_promote"] == 0, from_file.stderr
    assert "it would have promoted 0" in by_id.stderr
    assert stack.command("rules", "backtest", "nowhere.json", "--since", "30d").returncode == 2
    assert stack.command("rules", "backtest", rule, "--since", "yesterday").returncode == 2


def test_every_version_of_a_rule_is_listed(stack: RunningStack, rule: str) -> None:
    stack.command("rules", "disable", rule)

    versions = stack.command("rules", "history", rule, identity="viewer")

    assert [line.split("\t")[-3] for line in versions.stdout.splitlines()] == ["2", "1"], versions.stderr
    assert stack.command("rules", "history", str(uuid4())).returncode == 3


def test_a_record_that_cannot_be_read_is_shown_sent_again_and_discarded(stack: RunningStack) -> None:
    mark = uuid4().hex
    _publish(stack, f"no JSON: {mark}".encode())
    letters = _letters(stack, "operator", mark)
    first = letters[0]["id"]

    replayed = stack.command("dead", "replay", first, identity="operator")
    until(lambda: len(_letters(stack, "operator", mark)) == 1 and _letters(stack, "operator", mark)[0]["id"] != first)
    again = _letters(stack, "operator", mark)[0]["id"]
    discarded = stack.command("dead", "discard", again, "--reason", "a test", identity="operator")

    assert replayed.returncode == 0, replayed.stderr
    assert discarded.stdout.split("\t")[1] == "discarded"
    assert stack.command("dead", "replay", again, identity="operator").returncode == 5
    assert _letters(stack, "operator", mark) == []


def test_whose_a_letter_is_nobody_else_sees(stack: RunningStack) -> None:
    mark = uuid4().hex
    _publish(stack, json.dumps({"organization_id": "acme", "mark": mark}).encode())

    [letter] = _letters(stack, "admin", mark)

    assert letter["organization_id"] == "acme"
    for other in ("outsider", "operator"):
        assert stack.command("dead", "show", letter["id"], identity=other).returncode == 3
    assert stack.command("dead", "list", identity="viewer").returncode == 4
    assert stack.command("dead", "replay", "--topic", "promotion.requested", identity="admin").returncode == 0
    assert stack.command("dead", "replay", identity="admin").returncode == 2
    everything = stack.command("dead", "replay", "--all", identity="admin")
    assert "sent again" in everything.stderr


def test_a_whole_history_is_verified_against_what_was_kept_of_it(stack: RunningStack, deployment: str) -> None:
    asked(stack, deployment)
    head = json.loads(stack.command("audit", "head", "-o", "json", identity="viewer").stdout)
    anchor = f"{head['sequence']}:{head['hash']}"
    asked_again = stack.command("list", identity="viewer")

    verified = stack.command("audit", "verify", "--anchor", anchor, identity="viewer")
    anew = stack.command("audit", "verify", "--anchor", f"{head['sequence']}:{'0' * 64}", identity="viewer")
    cut = stack.command("audit", "verify", "--anchor", f"99999:{'0' * 64}", "-o", "json", identity="viewer")

    assert asked_again.returncode == 0
    assert verified.returncode == 0, verified.stderr
    assert (anew.returncode, "written anew" in anew.stderr) == (1, True)
    assert (cut.returncode, json.loads(cut.stdout)["broken"]["sequence"]) == (1, 99999)
    assert stack.command("audit", "verify", "--anchor", "x", identity="viewer").returncode == 2
    assert stack.command("audit", "list", "--limit", "1", identity="viewer").stdout.count("\n") == 1


def test_a_month_of_the_history_is_let_go_once(stack: RunningStack) -> None:
    owner = os.environ | {"DATABASE_URL": stack.ready["postgres"]}
    asyncio.run(_make_month(stack, date(2020, 1, 1)))

    looked = run_program(owner, "audit", "detach", "--before", "2020-02", "--dry-run")
    gone = run_program(owner, "audit", "detach", "--before", "2020-02")
    again = run_program(owner, "audit", "detach", "--before", "2020-02")

    assert (looked.returncode, looked.stdout.split("\t")[:2]) == (0, ["2020-01", "-"]), looked.stderr
    assert (gone.returncode, gone.stdout.split("\t")[1]) == (0, "promotion_detached.history_2020_01"), gone.stderr
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing is left" in again.stderr
    assert stack.command("audit", "verify", identity="viewer").returncode == 0
    assert stack.command("audit", "detach", "--before", "2020-02").returncode == 2


def test_a_login_is_kept_private_and_used_until_it_is_forgotten(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "config.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMOTION_")}
    environment |= {"PROMOTION_CONFIG": str(file)}
    key = stack.ready["tokens"]["viewer"]

    wrong = run_program(environment, "login", "--url", stack.ready["api"], given="pk_0_wrong\n")
    right = run_program(environment, "login", "--url", stack.ready["api"], given=f"{key}\n")

    assert (wrong.returncode, right.returncode) == (4, 0), wrong.stderr + right.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run_program(environment, "gateways").returncode == 0
    assert key not in run_program(environment, "config", "show").stdout
    # The key of one address is not sent to another.
    assert "PROMOTION_API_KEY is not set" in run_program(environment, "gateways", "--url", "http://127.0.0.1:1").stderr
    run_program(environment, "logout")
    assert run_program(environment, "gateways").returncode == 2


async def _make_month(stack: RunningStack, month: date) -> None:
    connection = await asyncpg.connect(stack.ready["postgres"])
    await connection.execute("SELECT promotion.make_history_partition($1)", month)
    await connection.close()


def _letters(stack: RunningStack, identity: str, mark: str) -> list[dict[str, Any]]:
    """The parked letters in whose value ``mark`` is, once there are any or none is left."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        listed = stack.command("dead", "list", "--limit", "50", "--state", "any", "-o", "json", identity=identity)
        found[:] = [
            whole
            for item in json.loads(listed.stdout)["items"]
            if mark in (whole := json.loads(_shown(stack, identity, item["id"])))["preview"]
        ]
        return bool(found)

    until(look)
    return [letter for letter in found if letter["state"] == "parked"]


def _shown(stack: RunningStack, identity: str, letter: str) -> str:
    return stack.command("dead", "show", letter, "-o", "json", identity=identity).stdout


def _publish(stack: RunningStack, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": stack.ready["kafka"]})
    producer.produce(TESTS_COMPLETED, key=b"dep", value=value, headers=[("ce_id", b"1")])
    assert producer.flush(10) == 0
