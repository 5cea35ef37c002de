"""A local stack repairs itself: each part is killed, and comes back with everybody knowing where it is."""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.integration.studio.running import RunningStack, until


@pytest.fixture(scope="module")
def broken_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with a process for each part; tests leave it repaired."""
    running = RunningStack(tmp_path_factory.mktemp("processes"))
    running.start("--processes")
    yield running
    running.stop()


@pytest.mark.parametrize("name", ["promotion", "rules", "executor", "inventory", "ingress", "gw-staging"])
def test_a_process_that_dies_is_started_again_and_that_is_said(broken_stack: RunningStack, name: str) -> None:
    before = broken_stack.ready["processes"][name]

    os.kill(before, signal.SIGKILL)

    until(lambda: broken_stack.ready["processes"][name] != before)
    assert psutil.pid_exists(broken_stack.ready["processes"][name])
    assert f"{name} died (signal 9); starting it again" in broken_stack.said


def test_a_broker_that_dies_is_replaced_and_work_goes_on(broken_stack: RunningStack) -> None:
    until(lambda: _answers(broken_stack))
    before = broken_stack.ready

    os.kill(before["processes"]["kafka"], signal.SIGKILL)

    until(lambda: broken_stack.ready["kafka"] != before["kafka"])
    broken_stack.announce("dep-after-the-broker")
    until(lambda: broken_stack.knows("dep-after-the-broker"))
    assert "the Kafka broker is back" in broken_stack.said


def test_a_database_that_dies_comes_back_with_its_data(broken_stack: RunningStack) -> None:
    broken_stack.announce("dep-before-the-database")
    until(lambda: broken_stack.knows("dep-before-the-database"))
    before = broken_stack.ready["processes"]["postgres"]

    os.kill(before, signal.SIGKILL)

    until(lambda: broken_stack.ready["processes"]["postgres"] != before)
    until(lambda: _answers(broken_stack))
    until(lambda: broken_stack.knows("dep-before-the-database"))


def test_a_lifeline_that_dies_is_replaced(broken_stack: RunningStack) -> None:
    before = broken_stack.ready["processes"]["lifeline"]

    os.kill(before, signal.SIGKILL)

    until(lambda: broken_stack.ready["processes"]["lifeline"] != before)


def _answers(stack: RunningStack) -> bool:
    return stack.command("doctor").returncode == 0
