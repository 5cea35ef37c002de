"""Which leaves stand in the way: every one that must change, and which of them are alternatives to each other."""

from collections.abc import Iterator, Mapping

from services.rules.domain.conditions.tree import Group, Leaf, Node, Not, Outcome

# A path, or {"any_of": [...]} where one of several suffices, or {"all_of": [...]} for an alternative of several.
Blocker = str | dict[str, list["Blocker"]]


def blockers(node: Node, outcomes: Mapping[str, Outcome], *, wanted: bool = True) -> list[Blocker]:
    """Give what keeps ``node`` from being ``wanted``; under a ``not``, a condition that holds is in the way."""
    if outcomes[node.path] is wanted:
        return []
    match node:
        case Leaf():
            return [node.path]
        case Not():
            return blockers(node.child, outcomes, wanted=not wanted)
        case Group():
            each = [blockers(child, outcomes, wanted=wanted) for child in node.children]
            if (node.kind == "all") is wanted:
                return [blocker for found in each for blocker in found]
            return _alternatives(each)


def _alternatives(each: list[list[Blocker]]) -> list[Blocker]:
    if len(each) == 1:
        return each[0]
    return [{"any_of": [found[0] if len(found) == 1 else {"all_of": found} for found in each]}]


def blocking_paths(found: list[Blocker]) -> Iterator[str]:
    """Walk the leaves among blockers, alternatives included."""
    for blocker in found:
        if isinstance(blocker, str):
            yield blocker
        else:
            for nested in blocker.values():
                yield from blocking_paths(nested)
