"""An explanation in one sentence: what the conditions wait for, or what stands against them."""

from collections.abc import Callable
from itertools import islice

from services.rules.domain.conditions.blockers import Blocker, blocking_paths
from services.rules.domain.conditions.evaluation import Value
from services.rules.domain.conditions.wording import cut

_MOST_SHOWN = 3
_LONGEST = 600
_OPENINGS = {Value.FALSE: "not met", Value.UNKNOWN: "waiting"}


def summarise(value: Value, found: list[Blocker], said: Callable[[str], str]) -> str:
    """Give the sentence; ``said`` tells what the leaf at a path has to say, which is in the way."""
    if value is Value.TRUE:
        return "all conditions hold"
    count = sum(1 for _ in blocking_paths(found))
    shown = "; ".join(islice((_phrase(blocker, said) for blocker in found), _MOST_SHOWN))
    rest = count - sum(1 for _ in blocking_paths(found[:_MOST_SHOWN]))
    return cut(f"{_OPENINGS[value]}: {shown}" + (f"; and {rest} more" if rest else ""), _LONGEST)


def _phrase(blocker: Blocker, said: Callable[[str], str]) -> str:
    if isinstance(blocker, str):
        return said(blocker)
    alternatives = blocker.get("any_of")
    if alternatives is None:
        return " and ".join(_phrase(nested, said) for nested in blocker["all_of"][:_MOST_SHOWN])
    shown = " or ".join(_phrase(nested, said) for nested in alternatives[:_MOST_SHOWN])
    rest = len(alternatives) - _MOST_SHOWN
    return f"either {shown}" + (f" or {rest} more" if rest > 0 else "")
