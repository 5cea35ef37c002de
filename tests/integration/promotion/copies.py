"""Very many of what there is one of, as long use leaves a database."""

from sqlalchemy import text

from tests.integration.promotion.house import House

MANY = 20_000
_COLUMNS = """SELECT attname AS name FROM pg_attribute
    WHERE attrelid = cast(:table AS regclass) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"""
_COPY = """INSERT INTO {table} ({columns}) SELECT {values}
    FROM (SELECT * FROM {table} LIMIT 1) AS one, generate_series(1, :many) AS n"""


async def multiply(house: House, table: str, *, many: int = MANY, **others: str) -> None:
    """Copy a row very many times, past the guards, with other values in some columns."""
    async with house.owner.begin() as connection:
        columns = [row.name for row in await connection.execute(text(_COLUMNS), {"table": table})]
        values = [others.get(name, name) for name in columns]
        copy = _COPY.format(table=table, columns=", ".join(columns), values=", ".join(values))
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(copy), {"many": many})
