"""One leaf, checked: its field, its operator, its value, its age limit and its unit."""

import difflib
from datetime import timedelta

from services.rules.domain.conditions.errors import Code, Findings
from services.rules.domain.conditions.literals import check_literal, check_text
from services.rules.domain.conditions.predicates import OPERATORS, leaf_test
from services.rules.domain.conditions.references import check_reference
from services.rules.domain.conditions.tree import Expected, Leaf
from services.rules.domain.conditions.vacuity import constant_answer
from services.rules.domain.conditions.wording import cut, describe_type, pointer, show
from services.rules.domain.facts import Field, FieldType, field_of, parse_duration
from services.rules.domain.facts.durations import LONGEST, SHORTEST
from services.rules.domain.facts.fields import LONGEST_PATH, is_path, suggest_field

RESERVED = ("window", "for", "count_of")
_SCALAR_OPERATORS = ("eq", "ne", "in", "not_in", "exists")
_LIST_OPERATORS = ("contains", "not_contains", "exists")
_SYMBOLS = {
    "=": "eq", "==": "eq", "===": "eq", "!=": "ne", "<>": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"
}  # fmt: skip


def check_leaf(raw: dict[str, object], path: str, description: str | None, findings: Findings) -> Leaf | None:
    """Check a leaf and compile it; None where anything is wrong with it."""
    before = len(findings.errors)
    field = _check_field(raw, path, findings)
    # An unknown field must not hide what is wrong with the value: any custom field takes any scalar.
    assumed = field or Field("custom.value", FieldType.ANY)
    op = _check_op(raw, assumed, path, findings)
    states_percent = _check_unit(raw, field, path, findings)
    max_age = _check_max_age(raw, assumed, path, findings)
    expected = None
    if "value" not in raw:
        findings.add(path, Code.MISSING_VALUE, "has no value", 'add "value"')
    elif op is not None:
        expected = _check_value(
            assumed, op, raw["value"], pointer(path, "value"), findings, states_percent=states_percent
        )
    if field is None or op is None or expected is None or len(findings.errors) > before:
        return None
    _refuse_vacuous(field, op, expected, path, findings)
    test = leaf_test(field, op, expected, max_age)
    return Leaf(path, field, op, expected, max_age, description, test)


def _check_field(raw: dict[str, object], path: str, findings: Findings) -> Field | None:
    if "field" not in raw:
        findings.add(path, Code.MISSING_FIELD, "names no field", 'add "field", such as "tests.pass_rate"')
        return None
    name = raw["field"]
    at = pointer(path, "field")
    if not isinstance(name, str) or not is_path(name):
        findings.add(
            at,
            Code.INVALID_FIELD,
            f"{show(name)} is not a field path",
            f"2 to 8 names joined by dots, each of lower-case letters, digits and _, at most {LONGEST_PATH} characters",
        )
        return None
    field = field_of(name)
    if field is None:
        findings.add(at, Code.UNKNOWN_FIELD, f"there is no field {show(name)}", suggest_field(name))
    return field


def _check_op(raw: dict[str, object], field: Field, path: str, findings: Findings) -> str | None:
    if "op" not in raw:
        findings.add(path, Code.MISSING_OP, "has no operator", f'add "op": one of {", ".join(OPERATORS)}')
        return None
    op = raw["op"]
    at = pointer(path, "op")
    if not isinstance(op, str) or op not in OPERATORS:
        findings.add(at, Code.UNKNOWN_OP, f"there is no operator {show(op)}", _suggest_op(op))
        return None
    allowed = allowed_operators(field)
    if op not in allowed:
        findings.add(
            at,
            Code.OP_NOT_ALLOWED_FOR_FIELD,
            f"{op} does not work on {field.path}, which is {field.domain}",
            f"use one of {', '.join(allowed)}",
        )
        return None
    return op


def allowed_operators(field: Field) -> tuple[str, ...]:
    """Give the operators that make sense on a field."""
    if field.type is FieldType.ANY:
        return OPERATORS
    if field.is_numeric:
        return tuple(op for op in OPERATORS if op not in ("contains", "not_contains"))
    return _LIST_OPERATORS if field.type is FieldType.TEXTS else _SCALAR_OPERATORS


def _suggest_op(op: object) -> str:
    if not isinstance(op, str):
        return f"write one of {', '.join(OPERATORS)}"
    if op in RESERVED:
        return "the word is reserved for a later version of the language"
    if op in _SYMBOLS:
        return f"write {_SYMBOLS[op]}"
    word = cut(op, LONGEST_PATH).strip().lower()
    if word in OPERATORS:
        return f"write {word}; operators are spelt in lower case"
    close = difflib.get_close_matches(word, OPERATORS, n=1)
    return f"did you mean {close[0]}?" if close else f"the operators are {', '.join(OPERATORS)}"


def _check_unit(raw: dict[str, object], field: Field | None, path: str, findings: Findings) -> bool:
    """Check the stated unit; tell whether it says percent on a percent field."""
    if "unit" not in raw:
        return False
    unit = raw["unit"]
    at = pointer(path, "unit")
    if not isinstance(unit, str):
        findings.add(at, Code.VALUE_TYPE_MISMATCH, f"is {describe_type(unit)}", "write the unit as a string")
        return False
    if check_text(unit, at, findings) is None or field is None:
        return False
    if not field.is_numeric and field.type is not FieldType.ANY:
        findings.add(at, Code.UNIT_MISMATCH, f"{field.path} is no number and has no unit", "leave unit out")
    elif field.unit is not None and unit != field.unit:
        findings.add(
            at,
            Code.UNIT_MISMATCH,
            f"{field.path} is measured in {field.unit}, not in {show(unit)}",
            f'write "unit": "{field.unit}" or leave it out, and give the value in that unit',
        )
    # Said of a percent field, even wrongly, the scale of the value is not in question as well.
    return True


def _check_max_age(raw: dict[str, object], field: Field, path: str, findings: Findings) -> timedelta | None:
    if "max_age" not in raw:
        return field.max_age
    stated = raw["max_age"]
    at = pointer(path, "max_age")
    if field.is_clock:
        findings.add(
            at,
            Code.MAX_AGE_NOT_ALLOWED,
            f"{field.path} comes from the clock and never grows old",
            "leave max_age out",
        )
        return None
    length = parse_duration(stated) if isinstance(stated, str) else None
    if length is None:
        findings.add(
            at,
            Code.INVALID_MAX_AGE,
            f"{show(stated)} is not a duration",
            "write a whole number and one of s, m, h, d, such as 15m",
        )
    elif not SHORTEST <= length <= LONGEST:
        findings.add(at, Code.MAX_AGE_OUT_OF_RANGE, f"{show(stated)} is too long", "write a duration from 1s to 90d")
    return length


def _check_value(
    field: Field, op: str, value: object, path: str, findings: Findings, *, states_percent: bool
) -> Expected | None:
    if isinstance(value, dict) and (op not in _NEVER_OBJECTS or "baseline" in value):
        return check_reference(field, op, value, path, findings)
    if op != "exists":
        return check_literal(field, op, value, path, findings, states_percent=states_percent)
    if isinstance(value, bool):
        return value
    findings.add(
        path,
        Code.VALUE_TYPE_MISMATCH,
        f"is {show(value)}; exists takes true or false",
        "write true (the fact is usable) or false (it is not)",
    )
    return None


_NEVER_OBJECTS = ("between", "in", "not_in", "contains", "not_contains", "exists")


def _refuse_vacuous(field: Field, op: str, expected: Expected, path: str, findings: Findings) -> None:
    answer = constant_answer(field, op, expected)
    if answer is not None:
        findings.add(
            path,
            Code.VACUOUS_CONDITION,
            f"is always {str(answer).lower()}: {field.path} is {field.domain}",
            "choose a value that some deployments meet and others do not, or remove the condition",
        )
