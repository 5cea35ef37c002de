"""PostgreSQL: one pool for each role, transactions, and what kind of trouble an error is.

It holds no statement of any service.
"""

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, nullcontext
from contextvars import ContextVar

import asyncpg
from asyncpg.protocol import protocol as array
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.platform import tracing
from services.platform.row_security import EVERY, SETTING, setting_of

# SQLSTATE classes in which the server, not the statement, is the trouble.
_OUTAGE_CLASSES = frozenset({"08", "53", "57", "58", "XX", "F0"})
_READ_ONLY = "25006"
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})
# Data and integrity errors: the same statement with the same values fails again.
_PERMANENT_CLASSES = frozenset({"22", "23"})

# What the driver raises by itself where the server goes away. A connection that is lost in the midst of a statement may
# also leave the driver in a state that it takes for a defect of its own.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

# Of each element of an array the driver asks whether it is an array itself, through abstract base classes; that is a
# quarter of what encoding costs, and there is no seam for it. These types are all that arrays are given as.
array.IterableABC = (list, tuple, set, frozenset)  # type: ignore[attr-defined]
array.SizedABC = object  # type: ignore[attr-defined]

# Planning a statement takes longer than running it for a few rows. A plan for any values is as good where rows are
# found by their keys, as long as it is made anew while tables grow: each time a connection has done twice as much, for
# in an empty table every index looks the same, and every minute. It is none for what looks for rows by their age, of
# which there may be none or all.
_PLANS_SECONDS = 60.0
_PLAN_ANEW = text("DISCARD PLANS")

_SEE = text(f"SELECT set_config('{SETTING}', :organizations, true)")
_KEEP_PLANS = "set_config('plan_cache_mode', 'force_generic_plan', true)"
_SEE_AND_KEEP_PLANS = text(f"SELECT set_config('{SETTING}', :organizations, true), {_KEEP_PLANS}")
_ONLY_KEEP_PLANS = text(f"SELECT {_KEEP_PLANS}")
_NOTIFY = text("SELECT pg_notify(:channel, '')")
# Where a connection keeps what to do once its transaction has committed.
_THEN = "after commit"
_served: ContextVar[Collection[str] | None] = ContextVar("organizations that the request may see", default=None)


def serve(organization_id: str) -> None:
    """Let the transactions of the request that runs in this context see ``organization_id`` alone."""
    _served.set((organization_id,))


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be reached or does not take work now; the same call may succeed later."""


class Database:
    """A pool of connections that act as one role.

    ``url`` is a ``postgresql://`` URL of a user who may take on ``role``; ``command_timeout_seconds`` bounds every
    statement, so that a server that hangs is an error and not a wait. A transaction sees the rows of the
    organizations that it is opened for, else of the request that is served; with ``every_organization``, for what a
    service does by itself, it sees all unless it is opened for some.
    """

    def __init__(
        self,
        url: str,
        *,
        role: str | None,
        application_name: str,
        pool_size: int = 8,
        command_timeout_seconds: float = 30.0,
        every_organization: bool = False,
    ) -> None:
        server_settings = {
            "application_name": application_name,
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": "60000",
            "lock_timeout": "10000",
            "jit": "off",
        }
        if role is not None:
            server_settings["role"] = role
        self._every_organization = every_organization
        if every_organization:
            server_settings[SETTING] = EVERY
        self._engine = create_async_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=1.5,
            connect_args={
                "timeout": 1.5,
                "command_timeout": command_timeout_seconds,
                "server_settings": server_settings,
            },
        )

    @asynccontextmanager
    async def begin(
        self, *, organizations: Collection[str] | None = None, keeps_plans: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees ``organizations``; commit at the end, roll back on an exception.

        ``keeps_plans`` is for batches that read and write by keys alone. What ``after_commit`` was asked for is done
        before this returns. Raises DatabaseUnavailable instead of an error that means that the server is away.
        """
        then: dict[Callable[[], None], None] = {}
        try:
            with tracing.holding() if tracing.is_on() else nullcontext():
                async with self._engine.begin() as connection:
                    connection.info[_THEN] = then
                    if keeps_plans:
                        await _plan_anew(connection)
                    seen = organizations
                    if seen is None and not self._every_organization:
                        seen = _served.get()
                    if seen is not None:
                        see = _SEE_AND_KEEP_PLANS if keeps_plans else _SEE
                        await connection.execute(see, {"organizations": setting_of(seen)})
                    elif keeps_plans:
                        await connection.execute(_ONLY_KEEP_PLANS)
                    yield connection
        except Exception as error:
            if is_outage(error):
                raise DatabaseUnavailable(str(error)) from error
            raise
        for act in then:
            act()

    async def notify(self, channel: str) -> None:
        """Wake whoever listens on ``channel``, at once and in no transaction; raises what the driver raises."""
        async with self._engine.connect() as connection:
            at_once = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await at_once.execute(_NOTIFY, {"channel": channel})

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def after_commit(connection: AsyncConnection, act: Callable[[], None]) -> None:
    """Have ``act`` called when the transaction of ``connection`` has committed: once, however often this is asked."""
    connection.info[_THEN][act] = None


async def _plan_anew(connection: AsyncConnection) -> None:
    now, known = time.monotonic(), connection.info
    done, (planned_at, planned_after) = known.get("transactions", 0) + 1, known.get("plans", (now, 1))
    if done >= 2 * planned_after or now >= planned_at + _PLANS_SECONDS:
        await connection.execute(_PLAN_ANEW)
        planned_at, planned_after = now, done
    known["transactions"], known["plans"] = done, (planned_at, planned_after)


def driver_url(url: str) -> str:
    """Give ``url`` with the name of the asynchronous driver."""
    scheme, separator, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"} or not separator:
        raise ValueError(f"the database URL has to begin with postgresql://, not with {scheme[:20]!r}")
    return f"postgresql+asyncpg://{rest}"


def sqlstate(error: BaseException) -> str | None:
    """Give the SQLSTATE that ``error`` or what it wraps carries, if any."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def is_outage(error: BaseException) -> bool:
    """Tell whether ``error`` means that the server is away, not that the statement is wrong."""
    known = (DatabaseUnavailable, OSError, TimeoutError, PoolTimeout, InterfaceError, asyncpg.InternalClientError)
    if isinstance(error, known):
        return True
    state = sqlstate(error)
    if state is not None:
        return state[:2] in _OUTAGE_CLASSES or state == _READ_ONLY
    return isinstance(error, DBAPIError)


def is_conflict(error: BaseException) -> bool:
    """Tell whether ``error`` is a deadlock, a serialization failure or a lock time-out: run the transaction again."""
    return sqlstate(error) in _CONFLICTS


def is_permanent(error: BaseException) -> bool:
    """Tell whether the same work with the same input would fail in the same way."""
    state = sqlstate(error)
    if state is not None:
        return state[:2] in _PERMANENT_CLASSES
    return not (is_outage(error) or is_conflict(error))
