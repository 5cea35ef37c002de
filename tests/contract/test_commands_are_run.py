"""No command without a test that runs it as a process: the names in the tests against the tree of commands."""

import ast
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from cyclopts import App

from studio.cli.app import app

TESTS = Path(__file__).parents[1]
WHERE = ("integration/studio", "end_to_end", "contract/gateway")


def test_every_command_is_run_on_a_real_system() -> None:
    run = {line[:length] for line in _lines() for length in (1, 2)}

    assert [command for command in _commands(app) if command not in run] == []


def _commands(at: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the words of every command that does something."""
    below = [name for name in at if not name.startswith("-")]
    if not below or at.default_command is not None:
        yield path
    for name in below:
        yield from _commands(at[name], (*path, name))


def _lines() -> Iterator[tuple[str, ...]]:
    """Give the words with which the command lines in the tests begin."""
    for file in (file for folder in WHERE for file in (TESTS / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call | ast.List | ast.Tuple):
                words = node.args if isinstance(node, ast.Call) else node.elts
                for start in range(len(words)):
                    yield tuple(
                        str(word.value)
                        for word in takewhile(lambda each: isinstance(each, ast.Constant), words[start:])
                        if isinstance(word, ast.Constant)
                    )
