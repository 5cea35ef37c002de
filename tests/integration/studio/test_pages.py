"""What the pages show can be typed in as it stands: every shell block in order, and what it says comes true."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.studio.running import RunningStack, run_script, until

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def beside(stack: RunningStack, tmp_path: Path) -> Path:
    """A folder that looks like the project's after `make up`."""
    (tmp_path / ".promotion").symlink_to(stack.data)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_first_steps_lead_to_production(beside: Path) -> None:
    said = run_script("\n".join(blocks("index.md", "bash")), beside)

    assert "has 0 of 1 approvals" in said
    assert "completed" in said
    assert "agent-first" in said


def test_each_producer_is_heard(beside: Path) -> None:
    port = free_port()
    script = "\n".join(blocks("producers.md", "bash")).replace("18765", str(port))

    said = run_script(script, beside)

    assert '"tests.pass_rate"' in said
    assert '"metrics.releases_frozen"' in said
    assert "completed (deployed)" in said
    told = [line for line in script.splitlines() if line.startswith("call ")]
    expected = [re.search(r"# (\w+: \d+)", line) for line in told]
    assert re.findall(r"^\w+: \d{3}$", said, re.MULTILINE) == [found[1] for found in expected if found]


def test_a_record_of_an_upstream_service_is_read(stack: RunningStack) -> None:
    (script,) = blocks("producers.md", "python")

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": stack.ready["kafka"]},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    until(lambda: stack.knows("dep-8813"))


def test_a_rule_is_tried_before_it_acts(beside: Path) -> None:
    (script,) = blocks("rules-by-example.md", "bash")

    said = run_script(f"{script}\npromotion rules show $RULE", beside)

    assert "disabled" in said


@pytest.mark.parametrize("number", range(len(blocks("rules-by-example.md", "json"))))
def test_a_rule_by_example_is_accepted(beside: Path, number: int) -> None:
    (beside / "rule.json").write_text(blocks("rules-by-example.md", "json")[number])

    said = run_script(
        'export PATH="$PWD/.venv/bin:$PATH"; eval "$(promotion env admin)"\n'
        "promotion rules create rule.json -o json | tee made.json\n"
        'promotion rules delete $(sed -n \'s/^ *"id": "\\(.*\\)",$/\\1/p\' made.json)',
        beside,
    )

    assert '"version": 1' in said


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
