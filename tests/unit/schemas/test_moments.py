"""Instants that a request may hold."""

import pytest
from pydantic import ValidationError

from schemas import events
from schemas.operations import ReplayMany


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_beyond_the_years_that_can_be_held_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError, match="out of range in UTC"):
        ReplayMany.model_validate({"parked_before": moment})


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, name)
        for kind in events.EventData.__subclasses__()
        for name, field in kind.model_fields.items()
        if "datetime" in str(field.annotation).lower()
    ],
)
def test_nor_does_any_event_bring_one(kind: type[events.EventData], field: str, moment: str) -> None:
    with pytest.raises(ValidationError) as refused:
        kind.model_validate({field: moment})

    assert [error["type"] for error in refused.value.errors() if error["loc"] == (field,)] == ["value_error"]


def test_an_instant_is_held_in_utc() -> None:
    wanted = ReplayMany.model_validate({"parked_before": "2026-03-01T14:00:00+02:00"})

    assert str(wanted.parked_before) == "2026-03-01 12:00:00+00:00"
