"""Consumers that move, and those that stand still."""

from services.platform.messaging.progress import LOOKS_BETWEEN_POLLS, LOOKS_IN_A_BATCH, LOOKS_UNTIL_NOT_READY, Progress


def looks(progress: Progress, count: int) -> list[str]:
    return [topic for _ in range(count) for topic in progress.look()]


def test_a_consumer_that_polls_never_stands_still() -> None:
    progress = Progress(["a", "b"])

    for _ in range(1000):
        progress.step("a")
        progress.step("b")
        assert (progress.look(), progress.quiet()) == ([], [])


def test_one_that_polls_no_more_is_not_ready_soon_and_stands_still_later() -> None:
    progress = Progress(["a", "b"])

    for _ in range(LOOKS_UNTIL_NOT_READY + 1):
        progress.step("b")
        assert progress.look() == []
    quiet_soon = progress.quiet()
    progress.step("b")
    still = looks(progress, LOOKS_BETWEEN_POLLS - LOOKS_UNTIL_NOT_READY - 1)

    assert (quiet_soon, still) == (["a"], ["a"])


def test_a_long_batch_is_not_blamed_before_it_is_too_long() -> None:
    progress = Progress(["a"])
    progress.begin_batch("a")

    before = looks(progress, LOOKS_IN_A_BATCH - 1)
    ready = progress.quiet()
    after = progress.look()

    assert (before, ready, after) == ([], [], ["a"])


def test_a_batch_that_ends_counts_as_a_step() -> None:
    progress = Progress(["a"])
    progress.begin_batch("a")
    looks(progress, LOOKS_IN_A_BATCH - 1)

    progress.end_batch("a")

    assert looks(progress, LOOKS_BETWEEN_POLLS - 1) == []
