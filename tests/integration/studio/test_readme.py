"""What the README shows can be typed in as it stands."""

import os
import re
import sys
import textwrap
from pathlib import Path

import pytest

from tests.integration.studio.running import RunningStack, run_script, until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def beside(stack: RunningStack, tmp_path: Path) -> Path:
    """A folder that looks like the project's after `make up`."""
    (tmp_path / ".promotion").symlink_to(stack.data)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


def test_the_api_by_example_comes_true(stack: RunningStack, beside: Path) -> None:
    set_up, announce, promote = block("bash").split("\n\n")

    announced = run_script(f"{set_up}\n{announce}", beside)
    until(lambda: stack.knows("dep-456"))
    shown = run_script(f"{set_up}\n{promote}\necho; promotion watch $ID -o json", beside)
    door = python(block("python"), beside)

    assert '"accepted"' in announced
    assert '"awaiting_approval"' in shown
    assert '"status": "completed"' in shown
    assert "'status': 'active'" in door


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def python(code: str, folder: Path) -> str:
    body = textwrap.indent(f"{code}\nprint(deployment)", "    ")
    program = f"import asyncio\nasync def main():\n{body}\nasyncio.run(main())"
    (folder / "program.py").write_text(program)
    return run_script(
        f'eval "$({os.path.join(sys.prefix, "bin", "promotion")} env)"; {sys.executable} program.py', folder
    )
