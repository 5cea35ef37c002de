"""The ordered list of an organization's environments: what it may be, and what it may become."""

from collections.abc import Collection, Sequence

from schemas.vocabulary import DEFAULT_ENVIRONMENTS


def in_force(names: Sequence[str] | None) -> tuple[str, ...]:
    """Give the list in force: ``names``, or the default where an organization has none of its own."""
    return DEFAULT_ENVIRONMENTS if names is None else tuple(names)


def repeated(names: Sequence[str]) -> list[str]:
    """Name what stands more than once in ``names``."""
    return sorted({name for name in names if names.count(name) > 1})


def bereft(names: Sequence[str], *, in_use: Collection[str]) -> list[str]:
    """Name the environments ``in_use`` that ``names`` would leave out."""
    return sorted(set(in_use) - set(names))
