"""Values: dataclasses that the type checker keeps frozen, and that cost no more than others to make.

By itself a frozen dataclass sets every field through ``object.__setattr__``, which makes it two to three times as dear,
and each promotion is hundreds of them. What would change one does not pass ``make check``.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(**options: Any) -> Callable[[type], type]:
        """Make a dataclass as the standard library's decorator does; a frozen one is equal and hashed by its fields."""

        def decorate(cls: type) -> type:
            frozen = options.get("frozen", False)
            hashed_by_fields = frozen and options.get("eq", True) and "__hash__" not in vars(cls)
            return dataclasses.dataclass(cls, **{**options, "frozen": False, "unsafe_hash": hashed_by_fields})

        return decorate


__all__ = ["dataclass"]
