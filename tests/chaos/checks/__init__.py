"""The checkers: pure functions from what was read to what does not hold, each beginning with its invariant's number."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.chaos.checks import gateways, promotions, told, topics
from tests.chaos.evidence import Evidence

Category = Literal["lost", "doubled", "unapproved", "illegal", "stuck"]
CATEGORIES: Sequence[Category] = ("lost", "doubled", "unapproved", "illegal", "stuck")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that does not hold."""

    category: Category
    text: str


_CHECKS: Sequence[tuple[Category, Callable[[Evidence], Iterable[str]]]] = (
    ("lost", told.answered_and_gone),
    ("lost", gateways.completed_and_not_there),
    ("lost", topics.never_told),
    ("lost", topics.neither_done_nor_parked),
    ("doubled", told.doubled),
    ("doubled", gateways.created_twice),
    ("doubled", topics.told_in_two_ways),
    ("unapproved", gateways.unapproved),
    ("illegal", promotions.illegal_steps),
    ("illegal", told.contradicted),
    ("illegal", gateways.out_of_order),
    ("illegal", gateways.live_against_the_outcome),
    ("illegal", topics.made_up_or_out_of_order),
    ("stuck", promotions.stuck),
)


def violations(evidence: Evidence) -> Iterator[Violation]:
    """Check everything."""
    for category, check in _CHECKS:
        for text in check(evidence):
            yield Violation(category, text)
