"""Rules that are remembered: what one batch makes of the memory takes nothing from another that is under way."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from services.rules.store.rule_books import MOST_ORGANIZATIONS, RuleBooks

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Rulebase:
    """A connection to organizations that each have a rule book, still empty; ``meanwhile`` happens while it reads."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self._meanwhile = meanwhile

    async def execute(self, _statement: object, values: Mapping[str, Any]) -> list[Any]:
        if "since" not in values:
            return [SimpleNamespace(organization_id=each, revision=1) for each in values["organizations"]]
        if self._meanwhile is not None:
            await self._meanwhile()
        return []


async def open_for(books: RuleBooks, rulebase: Rulebase, *organizations: str) -> set[str]:
    return set(await books.open(rulebase, dict.fromkeys(organizations, NOON)))  # type: ignore[arg-type]


async def test_a_batch_keeps_the_books_that_it_found_whatever_another_forgets_meanwhile() -> None:
    books = RuleBooks()
    await open_for(books, Rulebase(), "remembered")

    async def another_batch() -> None:
        await open_for(books, Rulebase(), *(f"org-{number}" for number in range(MOST_ORGANIZATIONS)))

    opened = await open_for(books, Rulebase(another_batch), "remembered", "new")

    assert opened == {"remembered", "new"}
