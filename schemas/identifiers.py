"""Deterministic identifiers: the same aggregate, counter and type give the same id, so that a repeat is equal."""

import hashlib
from uuid import UUID, uuid5

NAMESPACE = UUID("6f1d3c0e-6d0c-5c0b-9b0a-8a2f4e1c7d53")


def event_id(aggregate: str, counter: int, event_type: str) -> str:
    """Give the id of the event with which ``aggregate`` reached ``counter``.

    ``counter`` is the emitter's own version counter of that aggregate.
    """
    # A uuid5 written down at once: each event has one, and the detour over a UUID costs three times as much.
    name = f"{aggregate}\n{counter}\n{event_type}".encode()
    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def promotion_id_of_event(organization_id: str, source: str, identifier: str) -> UUID:
    """Give the promotion id for a ``promotion.requested`` event that names none."""
    return uuid5(NAMESPACE, f"promotion\n{organization_id}\n{source}\n{identifier}")


def slot_key(organization_id: str, agent_id: str, gateway_id: str) -> str:
    """Name a slot: what executes one at a time, and the key of ``promotion.approved``."""
    return f"{organization_id}/{agent_id}/{gateway_id}"
