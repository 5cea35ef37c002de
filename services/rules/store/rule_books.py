"""The rules of organizations, remembered between batches and checked against their revision at each use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.rule_book import RuleBook
from services.rules.store.rules import revisions, rules_since

# Versions that ended longer ago are read when a request asks for them.
REMEMBERED = timedelta(hours=1)
MOST_ORGANIZATIONS = 1_000
_EMPTY = RuleBook()


@dataclass(frozen=True, slots=True)
class _Book:
    revision: int
    complete_since: datetime
    rules: RuleBook


class RuleBooks:
    """Remembers every rule version of an organization that may still matter."""

    def __init__(self) -> None:
        self._books: dict[str, _Book] = {}

    async def open(
        self, connection: AsyncConnection, needed_since: Mapping[str, datetime], *, hold: bool = False
    ) -> dict[str, RuleBook]:
        """Give, for each organization, the versions in force at the instant given for it or after.

        With ``hold`` they stay in force until the transaction ends.
        """
        current = await revisions(connection, sorted(needed_since), hold=hold)
        # Others forget and replace books while this reads, so that what serves is taken before.
        opened = {
            organization_id: self._books[organization_id].rules
            for organization_id, since in needed_since.items()
            if organization_id in current and self._serves(organization_id, current[organization_id], since)
        }
        stale = {
            organization_id: since - REMEMBERED
            for organization_id, since in needed_since.items()
            if organization_id in current and organization_id not in opened
        }
        if len(self._books) + len(stale) > MOST_ORGANIZATIONS:
            self._books.clear()
        if stale:
            for organization_id, rules in (await rules_since(connection, stale)).items():
                opened[organization_id] = RuleBook(rules)
                self._books[organization_id] = _Book(
                    current[organization_id], stale[organization_id], opened[organization_id]
                )
        return {organization_id: opened.get(organization_id, _EMPTY) for organization_id in needed_since}

    def _serves(self, organization_id: str, revision: int, since: datetime) -> bool:
        book = self._books.get(organization_id)
        return book is not None and book.revision == revision and book.complete_since <= since
