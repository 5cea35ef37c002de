"""What is sent: the specification's three fields, and an id that is the event's own."""

import json

from schemas.events import PromotionChanged
from services.notifications.domain.message import change_body, change_id
from services.promotion import events
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.progress import evaluated
from tests.unit.notifications.samples import change
from tests.unit.promotion.promotions import cause, evaluation, pending


def test_a_body_has_type_time_and_data() -> None:
    body = json.loads(change_body(change()))

    assert (body["type"], body["timestamp"]) == ("promotion.changed", "2030-01-01T12:00:00.000000Z")
    assert body["data"]["status_reason"] == "awaiting_approval"
    assert set(body) == {"type", "timestamp", "data"}


def test_the_same_change_is_the_same_bytes() -> None:
    assert change_body(change()) == change_body(change())


def test_the_id_is_that_of_the_event_wherever_the_change_comes_from() -> None:
    step = evaluated(pending(), evaluation(), cause())
    assert isinstance(step, Transition)

    event = events.changed(step)

    assert isinstance(event.data, PromotionChanged)
    assert change_id(event.data) == event.id
