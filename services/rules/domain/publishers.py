"""Whose facts count: for each field, or group of fields, the publishers that an organization believes.

Where nothing is said of a field, everyone who may publish for the organization is believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.principals import principal_key

ALL = "*"


@dataclass(frozen=True, slots=True)
class Publishers:
    """What an organization says: a field, a group (``tests.*``) or ``*``, and the publishers that count for it."""

    of_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def named(cls, names: Mapping[str, list[str]]) -> "Publishers":
        """Read names as people write them."""
        return cls({path: frozenset(principal_key(name) for name in believed) for path, believed in names.items()})

    def believes(self, path: str, publisher: str | None) -> bool:
        """Tell whether a fact of the field ``path`` by ``publisher`` counts; None is nobody that is known."""
        believed = self._for(path)
        return believed is None or (publisher is not None and principal_key(publisher) in believed)

    def _for(self, path: str) -> frozenset[str] | None:
        """Give the publishers of the closest entry: the field, else its groups from the narrowest, else all."""
        if not self.of_fields:
            return None
        parts = path.split(".")
        groups = [".".join([*parts[:length], ALL]) for length in range(len(parts) - 1, 0, -1)]
        entries = (self.of_fields.get(name) for name in (path, *groups, ALL))
        return next((entry for entry in entries if entry is not None), None)
