"""The outbox: records written in the transaction that they tell of, and a relay that publishes them in order.

A row leaves the table only after Kafka has acknowledged it, so a crash anywhere repeats records and never loses one.
What Kafka refuses for good is set aside, so that it never stands in the way of the rest.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import asyncpg
import structlog
from pydantic_core import from_json, to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import EncodedRecord, Headers, encode
from schemas.events import Event
from services.platform.database import DRIVER_ERRORS, Database, after_commit
from services.platform.messaging.producer import Publisher, PublishFailed, PublishRefused
from services.platform.messaging.set_aside import Refusal, set_aside

BATCH_ROWS = 500
# Notifications are lost while a listener reconnects, so the relay looks by itself as well.
POLL_SECONDS = 2.0
RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)

# Below what Kafka takes by default (1,048,588), with room for what its own format and a signature add.
MAX_RECORD_BYTES = 950_000
_HEADER_OVERHEAD_BYTES = 10

_log = structlog.get_logger()


class RecordTooLarge(Exception):
    """A record is larger than Kafka takes; the message names its topic, its size and the limit."""

    code = "too_large"


class Outbox:
    """Writes records into the outbox table of one schema; whoever ``wakes`` names is told when some have committed."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self._wake: Callable[[], None] | None = None
        self._insert = text(
            f"INSERT INTO {schema}.outbox (topic, key, headers, value) "  # noqa: S608
            "SELECT * FROM unnest(cast(:topics AS text[]), cast(:keys AS bytea[]), cast(:headers AS text[]), "
            "cast(:values AS bytea[]))"
        )

    def wakes(self, relay: Callable[[], None]) -> None:
        """Have ``relay`` called after each transaction that wrote records here."""
        self._wake = relay

    async def append(self, connection: AsyncConnection, events: Sequence[Event]) -> None:
        """Write ``events`` in the transaction of ``connection``; they are published in this order."""
        await self.append_records(connection, [encode(event) for event in events])

    async def append_records(self, connection: AsyncConnection, records: Sequence[EncodedRecord]) -> None:
        """Write ``records`` in the transaction of ``connection``; raises RecordTooLarge."""
        if not records:
            return
        headers = [dump_headers(record.headers) for record in records]
        for record, dumped in zip(records, headers, strict=True):
            # As text headers are never shorter than as bytes, so that most records need no exact count.
            if len(record.key or b"") + len(record.value or b"") + len(dumped) > MAX_RECORD_BYTES // 4:
                _require_room(record)
        await connection.execute(
            self._insert,
            {
                "topics": [record.topic for record in records],
                "keys": [record.key for record in records],
                "headers": headers,
                "values": [record.value for record in records],
            },
        )
        if self._wake is not None:
            after_commit(connection, self._wake)

    @property
    def channel(self) -> str:
        """Name the notification channel that wakes this outbox's relay."""
        return f"outbox_{self.schema}"


def _require_room(record: EncodedRecord) -> None:
    size_bytes = len(record.key or b"") + len(record.value or b"")
    size_bytes += sum(len(name) + len(raw or b"") + _HEADER_OVERHEAD_BYTES for name, raw in record.headers)
    if size_bytes > MAX_RECORD_BYTES:
        raise RecordTooLarge(
            f"a record of {size_bytes:,} bytes for {record.topic} is larger than the {MAX_RECORD_BYTES:,} that Kafka "
            "is sent; make what it tells of smaller"
        )


def dump_headers(headers: Headers) -> str:
    """Write headers as JSON; Latin-1 keeps every byte, null stays null."""
    return to_json([(name, None if raw is None else raw.decode("latin-1")) for name, raw in headers]).decode()


def load_headers(dumped: str) -> Headers:
    """Read what dump_headers wrote."""
    return tuple([(name, None if value is None else value.encode("latin-1")) for name, value in from_json(dumped)])


class Wake:
    """Wakes the relay of ``outbox``, in whatever process it runs, when records have committed; many are told as one.

    To lose one is harmless: the relay polls too.
    """

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._channel = outbox.channel
        self._wanted = asyncio.Event()
        outbox.wakes(self._wanted.set)

    async def run(self) -> None:
        """Send the notifications until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._database.notify(self._channel)
            except Exception as error:  # noqa: BLE001 - the relay's own poll finds the rows
                _log.warning("relay not woken", channel=self._channel, error=str(error))
                await asyncio.sleep(POLL_SECONDS)


class Relay:
    """Publishes one schema's outbox in id order, at once what its own process commits.

    Of several relays one is active, by an advisory lock.

    ``url`` is a plain PostgreSQL URL, not one of a transaction pooler: the lock lives with the session.
    """

    def __init__(self, url: str, outbox: Outbox, publisher: Publisher, *, role: str | None) -> None:
        self._url = url
        self._schema = outbox.schema
        self._channel = outbox.channel
        self._publisher = publisher
        self._role = role
        self._wake = asyncio.Event()
        outbox.wakes(self._wake.set)
        self._failures = 0
        self.last_success: float | None = None
        row = f"SELECT id, topic, key, headers, value, created_at FROM {self._schema}.outbox"  # noqa: S608
        self._oldest = f"{row} ORDER BY id LIMIT {BATCH_ROWS}"
        # Both parts see the table as it was before.
        self._delete_and_go_on = (
            f"WITH gone AS (DELETE FROM {self._schema}.outbox WHERE id = ANY($1)) "  # noqa: S608
            f"{row} WHERE id <> ALL($1) ORDER BY id LIMIT {BATCH_ROWS}"
        )

    async def run(self) -> None:
        """Relay until cancelled; trouble with Kafka or PostgreSQL is waited out."""
        try:
            await self._relay()
        finally:
            await self._publisher.close()

    async def _relay(self) -> None:
        while True:
            try:
                await self._rounds()
            except (PublishFailed, *DRIVER_ERRORS) as error:
                delay_seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
                self._failures += 1
                _log.warning("relay interrupted", schema=self._schema, error=str(error), retry=delay_seconds)
                await asyncio.sleep(delay_seconds)

    async def _rounds(self) -> None:
        # Deletions that a crash of the server undoes are batches told again, older events behind newer ones; whoever
        # consumes bears that of any crash of a relay.
        settings = {"application_name": f"{self._schema}-relay", "synchronous_commit": "off"}
        if self._role is not None:
            settings["role"] = self._role
        connection = await asyncpg.connect(self._url, timeout=2, command_timeout=30, server_settings=settings)
        try:
            await self._until_active(connection)
            await connection.add_listener(self._channel, lambda *_: self._wake.set())
            while True:
                await self._relay_all(connection)
                self._failures = 0
                await self._woken()
        finally:
            connection.terminate()

    async def _until_active(self, connection: asyncpg.Connection) -> None:
        # Another session holds the lock and cannot tell us when it goes, so this asks again; until then what wakes this
        # relay is passed on to that one.
        while not await connection.fetchval(
            "SELECT pg_try_advisory_lock(hashtext('relay'), hashtext($1))", self._schema
        ):
            self.last_success = asyncio.get_running_loop().time()
            if await self._woken():
                await connection.execute("SELECT pg_notify($1, '')", self._channel)

    async def _relay_all(self, connection: asyncpg.Connection) -> None:
        rows = await self._fetch(connection, self._oldest)
        while rows:
            refusals = await self._publish(rows)
            async with connection.transaction() if refusals else contextlib.nullcontext():
                await set_aside(connection, self._schema, refusals)
                rows = await self._fetch(connection, self._delete_and_go_on, [row["id"] for row in rows])
            # A batch was published; that rows can be read alone says nothing of Kafka.
            self._failures = 0

    async def _fetch(self, connection: asyncpg.Connection, statement: str, *values: object) -> list[asyncpg.Record]:
        # What commits from here on wakes anew; what has committed is found.
        self._wake.clear()
        rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
        self.last_success = asyncio.get_running_loop().time()
        return rows

    async def _woken(self) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        woken = self._wake.is_set()
        self._wake.clear()
        return woken

    async def _publish(self, rows: Sequence[asyncpg.Record]) -> list[Refusal]:
        try:
            await self._publisher.publish(
                [EncodedRecord(row["topic"], row["key"], load_headers(row["headers"]), row["value"]) for row in rows]
            )
        except PublishRefused as refused:
            if len(rows) == 1:
                return [Refusal(rows[0], refused.code, str(refused))]
        else:
            return []
        # Kafka refuses batches and does not say for which record, so each goes by itself, still in order.
        return [refusal for row in rows for refusal in await self._publish([row])]
