"""Commands that speak to nobody: cases of rules, the configuration, completion."""

import json
from pathlib import Path

import pytest

from studio.cli import run

Capture = pytest.CaptureFixture[str]
CASE = {
    "name": "enough tests pass",
    "conditions": {"field": "tests.pass_rate", "op": "gte", "value": 95},
    "facts": {"tests.pass_rate": 96},
    "expected": "true",
}


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config.json"
    monkeypatch.setenv("PROMOTION_CONFIG", str(file))
    for name in ("PROMOTION_URL", "PROMOTION_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return file


def test_cases_that_pass_are_status_zero(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([CASE]))

    assert run(["rules", "test", str(file)]) == 0
    assert capsys.readouterr().out == f"✓ {file}: 1 cases, 0 failed\n"


def test_a_case_that_fails_is_explained_and_status_one(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([CASE, CASE | {"name": "too few", "facts": {"tests.pass_rate": 90}}]))

    status = run(["rules", "test", str(file)])
    said = capsys.readouterr().out
    run(["rules", "test", "--json", str(file)])
    report = json.loads(capsys.readouterr().out)

    assert status == 1
    assert "✗ too few" in said
    assert "✗ tests.pass_rate ≥ 95 – is 90" in said
    assert (report[0]["failed"], report[0]["failures"][0]["name"]) == (1, "too few")


def test_a_file_that_holds_no_cases_is_status_two(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text("[]")

    assert run(["rules", "test", str(file)]) == 2
    assert run(["rules", "test", str(tmp_path / "nowhere.json")]) == 2


@pytest.mark.parametrize(
    ("command", "whose"),
    [
        (["token", "list"], "the services'"),
        (["migrate"], "the owner's"),
        (["audit", "detach", "--keep-months", "6"], "the owner's"),
    ],
    ids=["token", "migrate", "detach"],
)
def test_without_a_database_it_is_said_whose_address_is_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, command: list[str], whose: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert run(command) == 2
    assert f"set it to {whose} address of the database" in capsys.readouterr().err


def test_a_value_is_remembered_shown_and_forgotten(configuration: Path, capsys: Capture) -> None:
    run(["config", "set", "url", "http://127.0.0.1:1"])
    run(["config", "show", "-o", "json"])
    shown = json.loads(capsys.readouterr().out)

    run(["config", "unset", "url"])

    assert shown == {"url": "http://127.0.0.1:1"}
    assert json.loads(configuration.read_text()) == {}


def test_another_address_forgets_the_key_of_the_one_before(configuration: Path) -> None:
    configuration.write_text(json.dumps({"url": "http://one", "api_key": "pk_a_b"}))
    configuration.chmod(0o600)

    run(["config", "set", "url", "http://two"])

    assert json.loads(configuration.read_text()) == {"url": "http://two"}


def test_a_key_is_neither_set_by_hand_nor_read_from_a_file_that_others_can_read(
    configuration: Path, capsys: Capture
) -> None:
    assert run(["config", "set", "api_key", "pk_a_b"]) == 2
    assert "promotion login" in capsys.readouterr().err
    configuration.write_text(json.dumps({"url": "http://one", "api_key": "pk_a_b"}))
    configuration.chmod(0o644)

    assert run(["list"]) == 2
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}'])
def test_a_configuration_that_is_none_is_named(configuration: Path, capsys: Capture, content: str) -> None:
    configuration.write_text(content)

    assert run(["config", "show"]) == 2
    assert str(configuration) in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_learns_every_command(capsys: Capture, shell: str) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in ("approve", "backtest", "replay", "override-conditions"))
