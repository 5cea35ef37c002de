"""Which errors mean that PostgreSQL is away: what only that is to blame for is tried again, never parked."""

import asyncpg

from services.platform.database import is_outage, is_permanent


def test_a_driver_that_lost_its_place_with_its_connection_is_an_outage() -> None:
    lost = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    assert is_outage(lost)
    assert not is_permanent(lost)
