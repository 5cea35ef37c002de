"""Which organization a record says it is of; only as true as whoever may write to its topic."""

import re

from schemas import strict_json
from schemas.text import IDENTIFIER

_MOST_IDENTIFIER_CHARACTERS = 200


def claimed_organization(value: bytes | None) -> str | None:
    """Give the organization that a record names, in either mode of CloudEvents, None where that cannot be read."""
    try:
        document = strict_json.parse(value or b"")
    except strict_json.NotJson:
        return None
    if isinstance(document, dict) and isinstance(document.get("data"), dict):
        document = document["data"]
    claimed = document.get("organization_id") if isinstance(document, dict) else None
    if not isinstance(claimed, str) or len(claimed) > _MOST_IDENTIFIER_CHARACTERS:
        return None
    return claimed if re.fullmatch(IDENTIFIER, claimed) else None
