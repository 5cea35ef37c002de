"""Keeping members running as tasks: each ends in its own way, and what happens then."""

import asyncio
from collections.abc import Callable

import pytest

from services.platform.schema_state import SchemaOutdated
from services.platform.service import Readiness
from studio.local.hosts import TaskHost
from studio.local.members import Member
from studio.local.trouble import StartError


class FakeMember:
    """Runs until told to stop; fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.starts = 0
        self.drained = False
        self.running = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        self.starts += 1
        if self.failures:
            raise self.failures.pop(0)
        self.running.set()
        await stopping.wait()
        self.drained = True

    async def readiness(self) -> Readiness:
        return Readiness(() if self.running.is_set() else ("warming up",))


def member(build: Callable[[], FakeMember]) -> Member:
    return Member("rules", build, "services.rules", (), {}, "http://127.0.0.1:9/readyz")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def host(said: list[str]) -> TaskHost:
    return TaskHost(said.append)


async def test_a_member_that_fails_is_started_again_and_that_is_said(host: TaskHost, said: list[str]) -> None:
    fake = FakeMember(RuntimeError("first"), RuntimeError("second"))

    await host.start([member(lambda: fake)])
    await asyncio.wait_for(fake.running.wait(), 5)

    assert fake.starts == 3
    assert ["first" in said[0], "second" in said[1]] == [True, True]
    await host.stop()


async def test_stopping_lets_a_member_drain(host: TaskHost) -> None:
    fake = FakeMember()
    await host.start([member(lambda: fake)])
    await asyncio.wait_for(fake.running.wait(), 5)

    await host.stop()

    assert fake.drained


async def test_what_keeps_a_member_from_its_work_is_told_with_its_name(host: TaskHost) -> None:
    fake = FakeMember(RuntimeError("not yet"))
    await host.start([member(lambda: fake)])

    before = await host.trouble()
    await asyncio.wait_for(fake.running.wait(), 5)

    assert before in (["rules: not running"], ["rules: warming up"])
    assert await host.trouble() == []
    await host.stop()


async def test_a_member_that_can_never_run_ends_the_start_with_its_reason(host: TaskHost) -> None:
    fake = FakeMember(SchemaOutdated("run: promotion migrate"))
    await host.start([member(lambda: fake)])
    await asyncio.sleep(0.01)

    with pytest.raises(StartError, match="rules cannot run: run: promotion migrate"):
        await host.trouble()

    assert fake.starts == 1
    await host.stop()


async def test_a_member_that_cannot_be_built_is_not_tried_again(host: TaskHost) -> None:
    def build() -> FakeMember:
        raise ValueError("no such setting")

    await host.start([member(build)])
    await asyncio.sleep(0.01)

    with pytest.raises(StartError, match="no such setting"):
        await host.trouble()
    await host.stop()


async def test_a_member_that_dies_again_and_again_before_it_was_ready_is_given_up(
    host: TaskHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.local.hosts.PAUSE_SECONDS", (0.0,))
    fake = FakeMember(*(RuntimeError("broken") for _ in range(9)))
    await host.start([member(lambda: fake)])
    await asyncio.sleep(0.05)

    with pytest.raises(StartError, match="broken"):
        await host.trouble()

    assert fake.starts == 4
    await host.stop()
