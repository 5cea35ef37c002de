"""The whole stack as a user starts it, driven from outside: HTTP, Kafka, the gateways' logs."""

from collections.abc import Callable, Iterator

import pytest

from tests.end_to_end.stack import RunningStack

RunStack = Callable[..., RunningStack]


@pytest.fixture(scope="module")
def run_stack(tmp_path_factory: pytest.TempPathFactory, kafka_kind: str) -> Iterator[RunStack]:
    """Start stacks with the options given, on the broker that `--kafka` says; stop them at the end."""
    running: list[RunningStack] = []

    def start(*options: str) -> RunningStack:
        stack = RunningStack(tmp_path_factory.mktemp("stack"), "--kafka", kafka_kind, *options)
        running.append(stack)
        return stack

    yield start
    for stack in running:
        stack.stop()
