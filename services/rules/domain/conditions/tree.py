"""Compiled conditions: an immutable tree with normalised values, and what it reads. Built by the compiler alone."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from services.rules.domain.facts import Facts, Field, Reason

# True, False, or why it is unknown. A function of facts and an aware now; it never raises.
Outcome = bool | Reason
Test = Callable[[Facts, datetime], Outcome]
Scalar = Decimal | str | bool
BaselineName = Literal["target_current", "previous"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A value taken from another deployment: b + ``factor`` x |b|, or b + ``delta``, or b itself."""

    baseline: BaselineName
    factor: Decimal | None = None
    delta: Decimal | None = None
    passes_without_baseline: bool = False
    stated: tuple[tuple[str, Decimal], ...] = ()


Expected = Scalar | tuple[Scalar, ...] | Reference


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison. ``max_age`` is the one in force, stated or the field's own; None means that it has none."""

    path: str
    field: Field
    op: str
    expected: Expected
    max_age: timedelta | None
    description: str | None
    test: Test = dataclasses.field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """``all`` or ``any`` of its children."""

    path: str
    kind: Literal["all", "any"]
    children: tuple["Node", ...]
    description: str | None
    test: Test = dataclasses.field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of its child; unknown stays unknown."""

    path: str
    child: "Node"
    description: str | None
    test: Test = dataclasses.field(repr=False, compare=False)


Node = Leaf | Group | Not


def leaves(node: Node) -> Iterator[Leaf]:
    """Walk the leaves from left to right."""
    match node:
        case Leaf():
            yield node
        case Not():
            yield from leaves(node.child)
        case Group():
            for child in node.children:
                yield from leaves(child)


@dataclass(frozen=True, slots=True)
class CompiledConditions:
    """Conditions that were accepted: evaluate them as often as you like, keep them by (rule id, version).

    ``fields`` are the paths that they read, ``baselines`` the deployments that they compare with, and
    ``reads_clock`` says whether ``deployment.duration_hours`` is among the fields.
    """

    root: Node
    fields: frozenset[str]
    baselines: frozenset[str]
    reads_clock: bool
    language_version: int
    leaves: tuple[Leaf, ...] = dataclasses.field(repr=False, compare=False)
