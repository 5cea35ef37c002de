"""The rules of organizations, remembered between batches and checked against their revision at each use."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.rule_book import RuleBook
from services.rules.store.rules import hold_revisions, revisions, rules_since

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

    async def open(self, connection: AsyncConnection, needed_since: Mapping[str, datetime]) -> dict[str, RuleBook]:
        """Give, for each organization, the versions in force at the instant given for it or after."""
        current = await revisions(connection, sorted(needed_since))
        opened = await self._opened(connection, current, needed_since)
        return {organization_id: opened.get(organization_id, _EMPTY) for organization_id in needed_since}

    async def hold(
        self, connection: AsyncConnection, organizations: Collection[str], now: datetime
    ) -> dict[str, RuleBook]:
        """Give the versions in force, which stay so until the transaction ends.

        Only of those of ``organizations`` that have rules, and whose rules nobody is changing.
        """
        current = await hold_revisions(connection, sorted(organizations))
        return await self._opened(connection, current, dict.fromkeys(current, now))

    async def _opened(
        self, connection: AsyncConnection, current: Mapping[str, int], needed_since: Mapping[str, datetime]
    ) -> dict[str, RuleBook]:
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
        return opened

    def _serves(self, organization_id: str, revision: int, since: datetime) -> bool:
        book = self._books.get(organization_id)
        return book is not None and book.revision == revision and book.complete_since <= since
