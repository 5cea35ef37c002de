"""The folder of a PostgreSQL cluster: made whole or not at all, with a password for its owner alone."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from studio.local.accounts import Account
from studio.local.postgres_install import install_for
from studio.local.trouble import StartError

SUPERUSER = "postgres"


class PostgresFailedError(StartError):
    """PostgreSQL itself gave up; carries what it said."""


def refuse_foreign_cluster(cluster: Path) -> None:
    """Raise StartError where the data belong to somebody else and we are not root."""
    if not cluster.exists() or os.geteuid() in (0, cluster.stat().st_uid):
        return
    raise StartError(
        f"The PostgreSQL data in {cluster} belong to user id {cluster.stat().st_uid}, and you are "
        f"{os.geteuid()}. Run as that user, or choose another data folder."
    )


def read_or_make_password(path: Path, cluster: Path) -> str:
    """Return the superuser's password, kept in `path`; it is on disk before the cluster that needs it."""
    if path.exists() and (password := path.read_text().strip()):
        return password
    if cluster.exists():
        raise StartError(
            f"The password file {path} is missing or empty, and the data beside it cannot be opened without "
            f"it. Put it back, or remove {cluster} to begin with empty data."
        )
    password = secrets.token_urlsafe(32)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return password


def create_cluster(cluster: Path, account: Account | None, *, password: str) -> None:
    """Run initdb beside `cluster` and rename the result, so that a kill leaves nothing half made."""
    unfinished = cluster.with_name("cluster.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if account is not None:
        os.chown(unfinished, account.uid, account.gid)
    password_pipe = _pipe_with(password, account)
    try:
        done = _run_initdb(unfinished, account, password_pipe)
    finally:
        os.close(password_pipe)
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace").strip()
        raise PostgresFailedError(f"PostgreSQL could not set up {unfinished}. It says:\n{output}")
    unfinished.rename(cluster)


def _run_initdb(folder: Path, account: Account | None, password_pipe: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603
        [
            str(install_for(account) / "bin" / "initdb"),
            f"--pgdata={reference(folder, account)}",
            f"--username={SUPERUSER}",
            "--pwfile=/dev/stdin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ],
        stdin=password_pipe,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=clean_environment(),
        check=False,
        **(account.identity() if account else {}),
    )


def _pipe_with(password: str, account: Account | None) -> int:
    """A pipe that the account may read: the password reaches neither a file of its own nor a command line."""
    read_end, write_end = os.pipe()
    if account is not None:
        os.fchown(read_end, account.uid, account.gid)
    os.write(write_end, f"{password}\n".encode())
    os.close(write_end)
    return read_end


def reference(cluster: Path, account: Account | None) -> str:
    """How a server is told its folder: by its working directory, where a parent may be closed to it.

    One that dropped from root cannot pass a parent such as /root (0700) by name, but keeps the working
    directory that it was given. So every program here is started with `cwd=cluster`.
    """
    if account is None or account.may_read(cluster):
        return str(cluster)
    if sys.platform == "linux":
        return "/proc/self/cwd"
    raise StartError(
        f"PostgreSQL runs as the account {account.name}, which cannot reach {cluster}. "
        f"Choose a data folder that it can reach, or run without root."
    )


def clean_environment() -> dict[str, str]:
    """The environment without PG* variables, which would redirect the server and psql."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
