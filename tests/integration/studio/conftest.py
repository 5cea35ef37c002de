"""Local stacks as processes, on free ports and folders of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.studio.running import RunningStack

StartStack = Callable[..., RunningStack]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack in one process, for tests that break nothing of it."""
    running = RunningStack(tmp_path_factory.mktemp("stack"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[StartStack]:
    """Starts stacks for one test alone, all on the same folder."""
    started: list[RunningStack] = []

    def start(*options: str) -> RunningStack:
        running = RunningStack(tmp_path)
        started.append(running)
        running.start(*options)
        return running

    yield start
    for running in started:
        running.stop()
