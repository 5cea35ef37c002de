"""Commands for whoever runs the system: run, migrate."""

import os
from typing import Literal

from studio.cli.exits import UsageError
from studio.cli.output import note

ServiceName = Literal["ingress", "promotion", "rules", "executor", "inventory"]


def run(service: ServiceName, /) -> None:
    """Run one service in the foreground, configured by the environment, until SIGTERM or Ctrl-C.

    Parameters
    ----------
    service
        The service.
    """
    import runpy

    runpy.run_module(f"services.{service}", run_name="__main__", alter_sys=True)


def migrate() -> None:
    """Bring the database of DATABASE_URL up to date; several at once wait for one another."""
    from services.platform.migrate import migrate as apply

    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise UsageError("DATABASE_URL is not set; set it to the owner's address of the database: postgresql://…")
    apply(url)
    note("the database is up to date")
