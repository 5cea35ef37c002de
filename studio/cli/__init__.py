"""The command line: ``promotion …``. Client commands talk to the HTTP API alone; stdout has answers, stderr all else.

Nothing heavy is imported before the command that needs it, so that ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Sequence

from studio.cli import exits


def main() -> None:
    """Run the command of this process's arguments, and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; give its exit status, as ``studio.cli.exits`` lists them."""
    from cyclopts import CycloptsError

    from studio.cli.app import app

    try:
        result = app(list(arguments), exit_on_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK
    except Exception as error:
        status = exits.status_of(error)
        if status is None:
            raise
        print(f"promotion: {error}", file=sys.stderr)
        return status
    return result if isinstance(result, int) else exits.OK
