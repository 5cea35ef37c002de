"""Instants from outside, in UTC; one that lies outside the years 1 to 9999 there is refused: nothing can hold it."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def in_utc(moment: datetime) -> datetime:
    """Give ``moment``, which is aware, in UTC; raises ValueError where there is no such year."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(
            f"{moment.isoformat()} is out of range in UTC; give an instant of the years 1 to 9999"
        ) from None


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
