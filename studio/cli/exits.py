"""Exit statuses, the same for every command."""

from collections.abc import Mapping
from typing import Final

from studio import problems
from studio.local.trouble import StartError

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
NOT_ALLOWED: Final = 4
CONFLICT: Final = 5
ENDED_REJECTED: Final = 6
ENDED_FAILED: Final = 7
WAITS: Final = 8
TIMED_OUT: Final = 9
UNREACHABLE: Final = 10
INTERRUPTED: Final = 130


class UsageError(Exception):
    """The command line or a file that it names cannot be understood."""


class CommandFailed(Exception):
    """The command did what it could and the answer is no."""


_STATUS_OF: Mapping[type[Exception], int] = {
    problems.Invalid: USAGE,
    problems.Unconfigured: USAGE,
    UsageError: USAGE,
    problems.NotFound: NOT_FOUND,
    problems.Gone: NOT_FOUND,
    problems.Unauthenticated: NOT_ALLOWED,
    problems.Forbidden: NOT_ALLOWED,
    problems.Conflict: CONFLICT,
    problems.Unavailable: UNREACHABLE,
    problems.Unreachable: UNREACHABLE,
    problems.ServerFailed: FAILED,
    StartError: FAILED,
    CommandFailed: FAILED,
}
_CONFIGURATION_ERRORS = frozenset({"ConfigurationError", "SchemaOutdated", "AlreadyRunning", "CannotListen"})


def status_of(error: Exception) -> int | None:
    """Give the exit status that says what ``error`` says; None for one that nobody foresaw."""
    for kind, status in _STATUS_OF.items():
        if isinstance(error, kind):
            return status
    if type(error).__name__ in _CONFIGURATION_ERRORS:
        return USAGE
    return None
