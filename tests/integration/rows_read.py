"""What a statement costs, in rows that PostgreSQL reads for it and not in time."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_READ = """SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
    WHERE relid = cast(:table AS regclass)"""


async def rows_read(connection: AsyncConnection, table: str) -> int:
    """Count the rows of ``table``, named with its schema, that the transaction has read so far."""
    return int(await connection.scalar(text(_READ), {"table": table}))
