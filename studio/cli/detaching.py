"""promotion audit detach: the owner of the database lets go of old months of the history."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from studio.cli.database import database_url, open_database
from studio.cli.exits import FAILED, OK, CommandFailed, UsageError
from studio.cli.options import Output
from studio.cli.output import Column, note, show_rows

if TYPE_CHECKING:
    from services.platform.database import Database
    from services.promotion.domain.cuts import Cut
    from services.promotion.retention import Gone

TRIES = 20
PAUSE_SECONDS = 1.5
COLUMNS = (
    Column("MONTH", "month"),
    Column("TABLE", "table"),
    Column("ORGANIZATION", "organization_id"),
    Column("ENTRIES", "entries"),
    Column("CUT AT", lambda row: row["sequence"] and f"{row['sequence']}:{row['hash']}"),
    Column("KEPT BEFORE IT", "kept"),
)
Only = Annotated[bool, Parameter(name="--dry-run", negative="")]
_INSUFFICIENT_PRIVILEGE = "42501"


async def detach(
    *, before: str | None = None, keep_months: int | None = None, dry_run: Only = False, output: Output = "table"
) -> int:
    """Let go of old months of the history, directly on the database: DATABASE_URL is the owner's, as for migrate.

    A month goes when it is over and every promotion that was asked for in it, or before, has ended. It is verified
    first; its table moves to the schema promotion_detached, for pg_dump, and does not come back. What is printed as
    CUT AT belongs where nobody here can write: it proves later that nothing else is missing. Status 1 where a month is
    held up.

    Parameters
    ----------
    before
        Let go of the months before this one, such as 2026-01.
    keep_months
        Instead: keep this many whole months before this month.
    dry_run
        Verify, and say what would go.
    """
    from services.platform.clock import utc_now

    limit = _limit(before, keep_months, today=utc_now().date())
    async with _owner() as database:
        rows, held_up = await _go(database, limit, dry_run=dry_run)
    show_rows(rows, COLUMNS, output)
    if held_up is not None:
        note(f"✗ {held_up}")
    if not rows and held_up is None:
        note(f"nothing is left to let go of before {limit:%Y-%m}")
    if rows and not dry_run:
        _say_what_next(sorted({row["table"] for row in rows}))
    return OK if held_up is None else FAILED


async def _go(database: "Database", limit: date, *, dry_run: bool) -> tuple[list[dict[str, Any]], str | None]:
    """Let go of one month after the other; give what went, and why the next one did not."""
    from services.promotion import retention

    rows: list[dict[str, Any]] = []
    for month in await retention.months(database, before=limit):
        try:
            gone = await _let_go(database, month, dry_run=dry_run)
        except retention.HeldUp as error:
            return rows, f"{month:%Y-%m} stays, and what is after it: {error}"
        shown = [_row(cut, month, gone) for cut in gone.cuts] or [_row(None, month, gone)]
        rows += shown
        note(f"{month:%Y-%m} {'would go' if dry_run else 'is gone'}: {sum(row['entries'] for row in shown)} entries")
    return rows, None


async def _let_go(database: "Database", month: date, *, dry_run: bool) -> "Gone":
    from sqlalchemy.exc import DBAPIError

    from services.platform.clock import utc_now
    from services.platform.database import is_conflict
    from services.promotion import retention

    for _ in range(TRIES):
        try:
            planned = await retention.plan(database, month, now=utc_now())
            if dry_run:
                return retention.Gone(month, "", planned.cuts)
            return await retention.let_go(database, planned)
        except retention.Overtaken:
            continue
        except DBAPIError as error:
            if not is_conflict(error):
                raise
            await asyncio.sleep(PAUSE_SECONDS)
    raise CommandFailed(
        f"{month:%Y-%m} stays: something holds the history all the time, such as a backup or a long transaction; run "
        "it again when that is over. What went before is gone"
    )


@asynccontextmanager
async def _owner() -> "AsyncIterator[Database]":
    from sqlalchemy.exc import DBAPIError

    from services.platform.database import sqlstate
    from services.platform.schema_state import require_current

    url = database_url(whose="the owner's")
    async with open_database(url, role=None, command="audit-detach", command_timeout_seconds=600) as database:
        try:
            await require_current(url, "promotion")
            yield database
        except DBAPIError as error:
            if sqlstate(error) != _INSUFFICIENT_PRIVILEGE:
                raise
            raise CommandFailed("DATABASE_URL has to be the owner's address, as for promotion migrate") from error


def _limit(before: str | None, keep_months: int | None, *, today: date) -> date:
    """Give the first day of the month before which everything may go."""
    this_month = today.replace(day=1)
    if (before is None) == (keep_months is None):
        raise UsageError("give either --before or --keep-months")
    if keep_months is not None:
        if not 0 <= keep_months <= 1200:
            raise UsageError(f"--keep-months {keep_months} has to be a number of months, 0 to 1200")
        limit = this_month
        for _ in range(keep_months):
            limit = (limit - timedelta(days=1)).replace(day=1)
        return limit
    if not re.fullmatch(r"[1-9]\d{3}-(0[1-9]|1[0-2])", before or ""):
        raise UsageError(f"--before {before!r} has to be a month, such as 2026-01")
    limit = datetime.strptime(f"{before}-01", "%Y-%m-%d").date()  # noqa: DTZ007 - a month, not a moment
    if limit > this_month:
        raise UsageError(f"--before {before}: {this_month:%Y-%m} is not over; give that month or an earlier one")
    return limit


def _row(cut: "Cut | None", month: date, gone: "Gone") -> dict[str, Any]:
    made = cut is not None and bool(gone.table)
    return {
        "month": f"{month:%Y-%m}",
        "table": gone.table or None,
        "organization_id": cut and cut.organization_id,
        "entries": cut.entries if cut else 0,
        "sequence": cut.head.seq if cut and made else None,
        "hash": cut.head.hash.hex() if cut and made else None,
        "kept": cut.kept if cut and made else None,
    }


def _say_what_next(tables: list[str]) -> None:
    schema = tables[0].partition(".")[0]
    note(
        "\nWhat to do next:\n"
        "1. Keep the lines above where nobody here can write, and take new anchors: promotion audit head\n"
        f'2. pg_dump --format=custom --schema={schema} --file=history.dump "$DATABASE_URL"\n'
        f"3. When the dump is safe: psql \"$DATABASE_URL\" -c 'DROP TABLE {', '.join(tables)}'"
    )
