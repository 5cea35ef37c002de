"""Why a leaf is unknown: a closed set of words that explanations, cases and the store share."""

from enum import StrEnum


class Reason(StrEnum):
    """Why nothing can be said about a leaf."""

    MISSING = "missing"
    NULL = "null"
    STALE = "stale"
    FUTURE = "future"
    TYPE_MISMATCH = "type_mismatch"
    NOT_FINITE = "not_finite"
    OUT_OF_DOMAIN = "out_of_domain"
    NO_BASELINE = "no_baseline"
    RUN_IN_PROGRESS = "run_in_progress"
