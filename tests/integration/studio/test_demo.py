"""The demonstration comes true, and says so with its exit status."""

import subprocess

from tests.integration.studio.running import PROGRAM


def test_the_demonstration_ends_in_production_with_its_history() -> None:
    done = subprocess.run([PROGRAM, "demo", "--exit"], capture_output=True, text=True, check=False, timeout=180)

    assert done.returncode == 0, done.stdout + done.stderr
    steps = done.stdout.splitlines()
    assert any("approver2 approves" in step for step in steps)
    history = [step.split("\t") for step in steps if step.count("\t") == 5]
    assert history[0][:2] == ["#", "at"]
    assert history[-1][2:4] == ["completed", "deployed"]
