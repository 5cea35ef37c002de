"""What the routes of webhooks have in common: who may, and how their parameters look."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query

from schemas.vocabulary import Role
from services.platform.http.authentication import requires
from services.platform.http.cursors import read_cursor
from services.platform.http.problems import invalid
from services.platform.identity import Principal

# A webhook hears of every environment, and its address may be a secret of its own.
Admin = Annotated[Principal, Depends(requires(Role.ADMIN))]
WebhookId = Annotated[UUID, Path()]
DeliveryId = Annotated[UUID, Path()]
Limit = Annotated[int, Query(ge=1, le=200, description="How many to list at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


def position(cursor: str | None) -> tuple[datetime, str] | None:
    """Read where a page begins; raises a 422."""
    if cursor is None:
        return None
    moment, identifier = read_cursor(cursor, datetime, str)
    try:
        UUID(identifier)
    except ValueError:
        raise invalid(
            "query:/cursor", "invalid_cursor", "is not a cursor of this list", "pass next_cursor as you received it"
        ) from None
    return moment, identifier
