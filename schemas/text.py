"""Text that may enter the system: what every string from outside has to be, by its kind.

Nothing here knows HTTP, Kafka or PostgreSQL; a refusal is a ValueError that names the trouble.
"""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\ufeff")


def plain_text(value: str) -> str:
    """Give ``value`` in NFC; refuse NUL, lone surrogates, control and bidirectional-override characters."""
    if value.isascii() and value.isprintable():
        return value
    for character in value:
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and character not in "\n\t") or character in _BIDI:
            raise ValueError(f"has the character U+{ord(character):04X}, which is not allowed; remove it")
    return unicodedata.normalize("NFC", value)


def not_blank(value: str) -> str:
    """Refuse text that is only white space."""
    if not value.strip():
        raise ValueError("is blank; say something")
    return value


IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._:@|+=~-]*$"
ENVIRONMENT_NAME = r"^[a-z][a-z0-9-]*$"

# An identifier that others chose: an organization, a person, an agent, a deployment, a gateway.
Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=IDENTIFIER)]
EnvironmentName = Annotated[str, Field(min_length=1, max_length=63, pattern=ENVIRONMENT_NAME)]
# A version or a digest of what is deployed, as its publisher writes it.
Version = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
# A sentence for people.
Sentence = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(plain_text), AfterValidator(not_blank)]
# A title for people.
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(plain_text), AfterValidator(not_blank)]
