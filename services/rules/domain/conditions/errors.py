"""What can be wrong with conditions: a closed set of codes, each error with its place and its remedy."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Code(StrEnum):
    """Stable names of the errors, for programs."""

    INVALID_JSON = "invalid_json"
    DUPLICATE_KEY = "duplicate_key"
    EXPECTED_OBJECT = "expected_object"
    EXPECTED_ARRAY = "expected_array"
    EMPTY_NODE = "empty_node"
    EMPTY_GROUP = "empty_group"
    AMBIGUOUS_NODE = "ambiguous_node"
    UNKNOWN_KEY = "unknown_key"
    MISSING_FIELD = "missing_field"
    MISSING_OP = "missing_op"
    MISSING_VALUE = "missing_value"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_OP = "unknown_op"
    OP_NOT_ALLOWED_FOR_FIELD = "op_not_allowed_for_field"
    VALUE_TYPE_MISMATCH = "value_type_mismatch"
    MIXED_TYPES = "mixed_types"
    EMPTY_LIST = "empty_list"
    EMPTY_RANGE = "empty_range"
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    VALUE_NOT_IN_ENUM = "value_not_in_enum"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    SUSPICIOUS_SCALE = "suspicious_scale"
    UNIT_MISMATCH = "unit_mismatch"
    VACUOUS_CONDITION = "vacuous_condition"
    INVALID_MAX_AGE = "invalid_max_age"
    MAX_AGE_OUT_OF_RANGE = "max_age_out_of_range"
    MAX_AGE_NOT_ALLOWED = "max_age_not_allowed"
    INVALID_BASELINE = "invalid_baseline"
    BASELINE_NOT_ALLOWED = "baseline_not_allowed"
    CONFLICTING_KEYS = "conflicting_keys"
    INVALID_ON_MISSING = "invalid_on_missing"
    TOO_DEEP = "too_deep"
    TOO_MANY_NODES = "too_many_nodes"
    TOO_MANY_CHILDREN = "too_many_children"
    LIST_TOO_LONG = "list_too_long"
    STRING_TOO_LONG = "string_too_long"
    DOCUMENT_TOO_LARGE = "document_too_large"
    AUTO_PROMOTE_REQUIRES_CONDITIONS = "auto_promote_requires_conditions"


@dataclass(frozen=True, slots=True)
class ConditionError:
    """One thing that is wrong: ``path`` is a JSON Pointer from the root of the conditions."""

    path: str
    code: Code
    message: str
    hint: str

    def under(self, prefix: str) -> "ConditionError":
        """Give the same error for a document that holds the conditions at ``prefix`` (a JSON Pointer)."""
        return replace(self, path=prefix + self.path)

    def to_json(self) -> dict[str, str]:
        """Give the error as a problem document carries it."""
        return {"path": self.path, "code": str(self.code), "message": self.message, "hint": self.hint}


class InvalidConditions(ValueError):
    """Conditions that cannot be accepted; ``errors`` holds everything that is wrong with them."""

    def __init__(self, errors: Iterable[ConditionError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.path or '/'}: {error.message}" for error in self.errors))


class Findings:
    """The errors found so far, in the order of the document."""

    def __init__(self) -> None:
        self.errors: list[ConditionError] = []

    def add(self, path: str, code: Code, message: str, hint: str) -> None:
        """Note an error and go on looking."""
        self.errors.append(ConditionError(path, code, message, hint))
