"""Every client command on a running stack."""

import json
import os
import shlex
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.studio.running import RunningStack, run_program, until


@pytest.fixture
def deployment(stack: RunningStack) -> str:
    """A deployment of an agent of its own that runs in staging; the agent is called like it."""
    identifier = f"dep-{uuid4().hex[:8]}"
    stack.announce(identifier, agent_id=identifier, environment="staging")
    until(lambda: stack.knows(identifier))
    return identifier


def create(stack: RunningStack, deployment: str, *options: str) -> subprocess.CompletedProcess[str]:
    wish = ("--agent", deployment, "--deployment", deployment, "--to", "production")
    return stack.command("create", *wish, "-o", "json", *options, identity="requester")


def test_from_create_to_history(stack: RunningStack, deployment: str) -> None:
    created = create(stack, deployment, "--wait")
    promotion = json.loads(created.stdout)["id"]

    approved = stack.command("approve", promotion, "--wait", "--reason", "looks good", identity="approver")

    assert created.returncode == 8, created.stderr
    assert "awaiting_approval" in created.stderr
    assert approved.returncode == 0, approved.stderr
    assert "deployed" in approved.stdout
    assert stack.command("execute", promotion, "--wait").returncode == 0
    assert stack.command("watch", promotion, identity="viewer").returncode == 0
    assert promotion in stack.command("list", "--agent", deployment, "--status", "completed", identity="viewer").stdout
    assert "looks good" in stack.command("show", promotion, "-o", "yaml", identity="viewer").stdout
    history = stack.command("history", promotion, identity="viewer").stdout.splitlines()
    assert history[0].split("\t")[2:4] == ["pending", "evaluating"]
    assert history[-1].split("\t")[2:4] == ["completed", "deployed"]


def test_rejecting_and_cancelling_end_it_with_status_six(stack: RunningStack, deployment: str) -> None:
    first = json.loads(create(stack, deployment).stdout)["id"]
    rejected = stack.command("reject", first, "--reason", "not on a Friday", identity="approver")
    second = json.loads(create(stack, deployment).stdout)["id"]
    cancelled = stack.command("cancel", second, identity="requester")

    assert (rejected.returncode, cancelled.returncode) == (0, 0), rejected.stderr + cancelled.stderr
    assert stack.command("watch", first, identity="viewer").returncode == 6
    assert stack.command("approve", first, identity="approver2").returncode == 5


def test_one_may_not_approve_without_the_role(stack: RunningStack, deployment: str) -> None:
    promotion = json.loads(create(stack, deployment).stdout)["id"]

    assert stack.command("approve", promotion, identity="viewer").returncode == 4
    assert stack.command("show", promotion, identity="outsider").returncode == 3


def test_rules_from_file_to_deletion(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text("name: three people\nsource_environment: staging\ntarget_environment: production\n")
    made = stack.command("rules", "create", str(file), "-o", "json")
    rule = json.loads(made.stdout)["id"]
    file.write_text("required_approvers: 3\n")

    updated = stack.command("rules", "update", rule, str(file), "-o", "json")
    disabled = stack.command("rules", "disable", rule, "-o", "json")

    assert json.loads(updated.stdout)["required_approvers"] == 3
    assert json.loads(disabled.stdout)["status"] == "disabled"
    assert rule in stack.command("rules", "list").stdout
    assert "three people" in stack.command("rules", "show", rule).stdout
    assert stack.command("rules", "delete", rule).returncode == 0
    assert stack.command("rules", "show", rule).returncode == 3


def test_events_are_handed_in_from_a_file(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "event.yaml"
    file.write_text(
        f"""\
specversion: "1.0"
id: {uuid4()}
source: /tests
type: studio.deployment.completed.v1
subject: dep-by-file
time: 2026-01-02T03:04:05Z
data:
  organization_id: acme
  deployment_id: dep-by-file
  agent_id: agent-by-file
  environment: development
  gateway_id: gw-development
  version: "1.0"
  status: succeeded
  deployed_at: 2026-01-02T03:04:05Z
"""
    )

    sent = stack.command("events", "send", str(file))

    assert sent.returncode == 0, sent.stderr
    until(lambda: stack.knows("dep-by-file"))
    assert "agent-by-file" in stack.command("deployments", "--agent", "agent-by-file").stdout


def test_what_lies_around_promotions_is_listed(stack: RunningStack) -> None:
    assert "gw-production" in stack.command("gateways").stdout
    assert stack.command("environments").stdout.split() == ["development", "staging", "production"]
    assert stack.command("deployments", "dep-nowhere").returncode == 3
    assert stack.command("doctor").returncode == 0


def test_a_key_is_made_used_and_revoked(stack: RunningStack) -> None:
    operator = os.environ | _env(stack, "--operator")

    made = run_program(operator, "token", "create", "--organization", "acme", "--subject", "ci", "--role", "viewer")
    key = made.stdout.strip()
    listed = run_program(operator, "token", "list", "--organization", "acme", "-o", "json")
    identifier = key.split("_")[1]

    assert run_program(operator | {"PROMOTION_API_KEY": key}, "list").returncode == 0
    assert identifier in listed.stdout
    assert key not in listed.stdout
    assert run_program(operator, "token", "revoke", identifier).returncode == 0
    assert run_program(operator, "token", "revoke", identifier).returncode == 1


def test_the_environment_of_an_identity_is_printed_for_the_shell(stack: RunningStack) -> None:
    variables = _env(stack, "viewer")

    assert variables == {
        "PROMOTION_URL": stack.ready["api"],
        "PROMOTION_API_KEY": stack.ready["tokens"]["viewer"],
    }


def test_migrating_again_changes_nothing(stack: RunningStack) -> None:
    done = run_program(os.environ | {"DATABASE_URL": stack.ready["postgres"]}, "migrate")

    assert done.returncode == 0, done.stderr


def test_topics_that_are_there_stay_as_they_are(stack: RunningStack) -> None:
    operator = os.environ | _env(stack, "--operator") | {"KAFKA_BOOTSTRAP_SERVERS": stack.ready["kafka"]}

    done = run_program(operator, "topics")

    assert (done.returncode, done.stderr.strip()) == (0, "the topics are there")


def test_the_rules_of_a_file_are_tried(tmp_path: Path) -> None:
    case = {
        "name": "one is one",
        "conditions": {"field": "custom.n", "op": "eq", "value": 1},
        "facts": {"custom": {"n": 1}},
    }
    file = tmp_path / "cases.json"

    file.write_text(json.dumps([{**case, "expected": True}]))
    right = run_program(os.environ, "rules", "test", str(file))
    file.write_text(json.dumps([{**case, "expected": False}]))
    wrong = run_program(os.environ, "rules", "test", str(file), "--json")

    assert (right.returncode, wrong.returncode) == (0, 1), right.stderr + wrong.stderr
    assert "one is one" in wrong.stdout


def test_values_are_remembered_and_forgotten(stack: RunningStack, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMOTION_")}
    environment |= {
        "PROMOTION_CONFIG": str(tmp_path / "config.json"),
        "PROMOTION_API_KEY": stack.ready["tokens"]["viewer"],
    }

    assert run_program(environment, "config", "set", "url", stack.ready["api"]).returncode == 0
    assert stack.ready["api"] in run_program(environment, "config", "show").stdout
    assert run_program(environment, "gateways").returncode == 0
    assert run_program(environment, "config", "unset", "url").returncode == 0
    assert run_program(environment, "gateways").returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_completes_every_command(shell: str) -> None:
    printed = run_program(os.environ, "completion", shell)

    assert printed.returncode == 0
    assert "break-glass" in printed.stdout


def _env(stack: RunningStack, *arguments: str) -> dict[str, str]:
    done = run_program(os.environ, "env", *arguments, "--data-dir", str(stack.data))
    exports = [shlex.split(line)[1].partition("=") for line in done.stdout.splitlines()]
    return {name: value for name, _, value in exports}
