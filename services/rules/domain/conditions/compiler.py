"""From a document to compiled conditions: everything that is wrong with it at once, or a tree that cannot fail."""

import difflib
from typing import Literal

from services.rules.domain.conditions.errors import Code, ConditionError, Findings, InvalidConditions
from services.rules.domain.conditions.leaf_checks import RESERVED, check_leaf
from services.rules.domain.conditions.limits import (
    DEEPEST,
    MOST_CHILDREN,
    MOST_NODES,
    check_document_size,
    too_deep,
)
from services.rules.domain.conditions.literals import check_text
from services.rules.domain.conditions.predicates import all_of, any_of, opposite
from services.rules.domain.conditions.strict_json import read_json
from services.rules.domain.conditions.tree import (
    CompiledConditions,
    Group,
    Node,
    Not,
    Reference,
    leaves,
)
from services.rules.domain.conditions.wording import cut, describe_type, pointer, show

LANGUAGE_VERSION = 1
_LEAF_KEYS = ("field", "op", "value", "max_age", "unit")
_GROUPS: tuple[Literal["all", "any"], ...] = ("all", "any")
_KEYS = (*_GROUPS, "not", *_LEAF_KEYS, "description")


def compile_conditions(document: object) -> CompiledConditions:
    """Compile conditions that are already parsed (dicts, lists, strings, numbers, booleans).

    Raises: InvalidConditions with every error.
    """
    return _compile(document, ())


def compile_text(text: str | bytes) -> CompiledConditions:
    """Compile conditions from their JSON text, which is read strictly.

    Raises: InvalidConditions with every error.
    """
    document, errors = read_json(text)
    if errors and document is None:
        raise InvalidConditions(errors)
    return _compile(document, errors)


def compile_for_rule(document: object, *, auto_promote: bool) -> CompiledConditions | None:
    """Compile the conditions of a rule, which may have none (None or an empty object) unless it promotes by itself.

    Raises: InvalidConditions with every error.
    """
    if document is not None and document != {}:
        return compile_conditions(document)
    if not auto_promote:
        return None
    raise InvalidConditions(
        [
            ConditionError(
                "",
                Code.AUTO_PROMOTE_REQUIRES_CONDITIONS,
                "the rule promotes by itself and has no conditions; none never means always",
                "add conditions, or set auto_promote to false",
            )
        ]
    )


def _compile(document: object, errors: tuple[ConditionError, ...]) -> CompiledConditions:
    findings = Findings()
    findings.errors.extend(errors)
    check_document_size(document, findings)
    if len(findings.errors) > len(errors):
        raise InvalidConditions(findings.errors)
    root = _Reader(findings).read(document, "", depth=1)
    if root is None or findings.errors:
        raise InvalidConditions(findings.errors)
    return _compiled(root)


def _compiled(root: Node) -> CompiledConditions:
    found = tuple(leaves(root))
    return CompiledConditions(
        root=root,
        fields=frozenset(leaf.field.path for leaf in found),
        baselines=frozenset(leaf.expected.baseline for leaf in found if isinstance(leaf.expected, Reference)),
        reads_clock=any(leaf.field.is_clock for leaf in found),
        language_version=LANGUAGE_VERSION,
        leaves=found,
    )


class _Reader:
    """Reads nodes from the root down; stops at the deepest level allowed, so it recurses no further than that."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._nodes = 0

    def read(self, raw: object, path: str, *, depth: int) -> Node | None:
        """Check the node at ``path`` and all below it; None where anything is wrong with it."""
        self._count(path)
        if depth > DEEPEST:
            too_deep(path, self._findings)
            return None
        if not isinstance(raw, dict):
            self._findings.add(
                path,
                Code.EXPECTED_OBJECT,
                f"is {describe_type(raw)}; a condition is an object",
                'write {"all": [...]}, {"any": [...]}, {"not": {...}} or {"field": ..., "op": ..., "value": ...}',
            )
            return None
        self._check_keys(raw, path)
        description = self._description(raw, path)
        kinds = self._kinds(raw, path)
        # Of an object with two kinds only the groups are read on: a stray key of a leaf says nothing of its own.
        read = kinds if len(kinds) == 1 else [kind for kind in kinds if kind != "leaf"]
        nodes = [self._read_kind(kind, raw, path, description, depth) for kind in read]
        return nodes[0] if len(kinds) == 1 else None

    def _read_kind(
        self, kind: str, raw: dict[str, object], path: str, description: str | None, depth: int
    ) -> Node | None:
        match kind:
            case "all" | "any":
                return self._group(kind, raw[kind], path, description, depth)
            case "not":
                child = self.read(raw["not"], pointer(path, "not"), depth=depth + 1)
                return None if child is None else Not(path, child, description, opposite(child.test))
            case _:
                return check_leaf(raw, path, description, self._findings)

    def _group(
        self, kind: Literal["all", "any"], raw: object, path: str, description: str | None, depth: int
    ) -> Node | None:
        at = pointer(path, kind)
        if not isinstance(raw, list | tuple):
            self._findings.add(
                at,
                Code.EXPECTED_ARRAY,
                f"is {describe_type(raw)}; {kind} takes an array",
                f'write {{"{kind}": [...]}}',
            )
            return None
        self._check_children(kind, len(raw), at)
        read = [self.read(child, pointer(at, index), depth=depth + 1) for index, child in enumerate(raw)]
        children = tuple(child for child in read if child is not None)
        if not children or len(children) < len(read):
            return None
        combine = all_of if kind == "all" else any_of
        return Group(path, kind, children, description, combine([child.test for child in children]))

    def _check_children(self, kind: str, count: int, path: str) -> None:
        if count == 0:
            self._findings.add(
                path, Code.EMPTY_GROUP, f"{kind} of nothing", "add a condition; an empty list never holds"
            )
        elif count > MOST_CHILDREN:
            self._findings.add(
                path,
                Code.TOO_MANY_CHILDREN,
                f"has {count} children; at most {MOST_CHILDREN} are allowed",
                "group some of them, or use in with a list of values",
            )

    def _kinds(self, raw: dict[str, object], path: str) -> list[str]:
        kinds = [kind for kind in (*_GROUPS, "not") if kind in raw]
        if any(key in raw for key in _LEAF_KEYS):
            kinds.append("leaf")
        if not kinds:
            self._findings.add(
                path,
                Code.EMPTY_NODE,
                "says nothing",
                "give it all, any, not, or a field with an op and a value",
            )
        elif len(kinds) > 1:
            self._findings.add(
                path,
                Code.AMBIGUOUS_NODE,
                f"is {' and '.join(kinds)} at once",
                "one kind to an object; put the others beside it under all",
            )
        return kinds

    def _check_keys(self, raw: dict[str, object], path: str) -> None:
        for key in raw:
            if key not in _KEYS:
                self._findings.add(
                    pointer(path, key),
                    Code.UNKNOWN_KEY,
                    f"there is no key {show(key)} here",
                    _suggest_key(key),
                )

    def _description(self, raw: dict[str, object], path: str) -> str | None:
        if "description" not in raw:
            return None
        text, at = raw["description"], pointer(path, "description")
        if isinstance(text, str):
            return check_text(text, at, self._findings)
        self._findings.add(
            at, Code.VALUE_TYPE_MISMATCH, f"is {describe_type(text)}", "write the description as a string"
        )
        return None

    def _count(self, path: str) -> None:
        self._nodes += 1
        if self._nodes == MOST_NODES + 1:
            self._findings.add(
                path,
                Code.TOO_MANY_NODES,
                f"is the condition after the first {MOST_NODES}; no more are allowed",
                "split the conditions into several rules: all rules of a hop must hold",
            )


def _suggest_key(key: object) -> str:
    if key in RESERVED:
        return "the word is reserved for a later version of the language"
    close = difflib.get_close_matches(cut(str(key), 32).lower(), _KEYS, n=1)
    return f"did you mean {close[0]}?" if close else f"the keys are {', '.join(_KEYS)}"
