"""The embedded PostgreSQL 18 of local runs and tests: durable, loopback only, password-protected, ours alone.

Never listens beyond 127.0.0.1, never shares a data folder, never changes a folder that it did not make.
"""

import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from studio.local import postmaster
from studio.local.accounts import Account, account_for
from studio.local.folder_lock import FolderLock
from studio.local.ports import LOOPBACK, PortTakenError, claim_port
from studio.local.postgres_cluster import (
    SUPERUSER,
    PostgresFailedError,
    clean_environment,
    create_cluster,
    read_or_make_password,
    reference,
    refuse_foreign_cluster,
)
from studio.local.postgres_install import install_for, wheel_install
from studio.local.processes import died
from studio.local.trouble import StartError

MAINTENANCE_DATABASE = "postgres"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "idle_in_transaction_session_timeout": "60s",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_cost_delay": "0",
    "fsync": "on",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
}
_LARGEST_LOG_BYTES = 20_000_000
_DATABASE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_ATTEMPTS_AT_A_FREE_PORT = 3


class EmbeddedPostgres:
    """One PostgreSQL server on one data folder.

    All methods block (run them with `asyncio.to_thread` from a loop) and need no running loop. Layout of the
    folder: `cluster/` (PostgreSQL's own), `postgres.password` (0600), `postgres.log`, `postgres.lock`.
    """

    def __init__(
        self, data_folder: Path, port: int | None = None, *, settings: Mapping[str, str] | None = None
    ) -> None:
        self._folder = data_folder.absolute()
        self._wanted_port = port
        self._settings = _SETTINGS | dict(settings or {})
        self._lock = FolderLock(self._folder, "postgres.lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None
        self._password = ""

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder; tells its processes from all others."""
        return self._folder.resolve() / "cluster"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._folder / "postgres.log"

    @property
    def pid(self) -> int:
        """The server's (postmaster's) process id."""
        return self._started().pid

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        if self._port is None:
            raise RuntimeError("The embedded PostgreSQL has not been started.")
        return self._port

    @property
    def dsn(self) -> str:
        """Address, with password, of the superuser in the maintenance database."""
        return self.dsn_for(MAINTENANCE_DATABASE)

    def dsn_for(self, database: str) -> str:
        """Address, with password, of the superuser in `database`: `postgresql://…`."""
        return f"postgresql://{SUPERUSER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def start(self, *, timeout_seconds: float = 60.0) -> None:
        """Create the cluster if it is missing, then serve it. Returns when connections are accepted.

        Raises FolderInUseError, PortTakenError, PostgresFailedError or another StartError.
        """
        if self._process is not None:
            raise RuntimeError("The embedded PostgreSQL has been started already.")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.acquire()
        try:
            account = account_for(self.cluster)
            refuse_foreign_cluster(self.cluster)
            self._password = read_or_make_password(self._folder / "postgres.password", self.cluster)
            postmaster.clear_leftovers(self.cluster)
            if not self.cluster.exists():
                create_cluster(self.cluster, account, password=self._password)
            self._launch(account, timeout_seconds)
        except BaseException:
            self._lock.release()
            raise

    def stop(self, *, patience_seconds: float = 10.0) -> None:
        """Shut down cleanly, ending open sessions; harmless where nothing runs."""
        process, self._process = self._process, None
        try:
            if process is not None:
                self._end(process, patience_seconds)
        finally:
            self._lock.release()

    def is_running(self) -> bool:
        """Whether the server was started and has not died since."""
        return self._process is not None and self._process.poll() is None

    async def wait_died(self) -> int:
        """Return the exit status as soon as the server has died."""
        process = self._started()
        return await died(process)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create `name`, empty or as a copy of `template` (which nobody may be connected to)."""
        source = f" TEMPLATE {_checked(template)}" if template else ""
        self._psql(f"CREATE DATABASE {_checked(name)}{source}")

    def drop_database(self, name: str) -> None:
        """Drop `name` and end the sessions in it; harmless where it does not exist."""
        self._psql(f"DROP DATABASE IF EXISTS {_checked(name)} WITH (FORCE)")

    def has_database(self, name: str) -> bool:
        """Whether a database `name` exists."""
        return self._psql(f"SELECT 1 FROM pg_database WHERE datname = '{_checked(name)}'") == "1"  # noqa: S608

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The embedded PostgreSQL is not running.")
        return self._process

    def _launch(self, account: Account | None, timeout_seconds: float) -> None:
        for attempt in range(1, _ATTEMPTS_AT_A_FREE_PORT + 1):
            self._port = claim_port(self._wanted_port, server="PostgreSQL")
            try:
                self._launch_once(account, timeout_seconds)
            except PortTakenError:
                if self._wanted_port is not None or attempt == _ATTEMPTS_AT_A_FREE_PORT:
                    raise
            else:
                return

    def _launch_once(self, account: Account | None, timeout_seconds: float) -> None:
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.old"))
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            log_start = log.tell()
            process = subprocess.Popen(  # noqa: S603
                [
                    str(install_for(account) / "bin" / "postgres"),
                    *("-D", reference(self.cluster, account)),
                    *("-p", str(self.port)),
                    *(part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cluster,
                env=clean_environment(),
                start_new_session=True,
                **(account.identity() if account else {}),
            )
        try:
            self._await_ready(process, log_start, timeout_seconds)
        except BaseException:
            self._end(process, patience_seconds=2.0)
            raise
        self._process = process

    def _await_ready(self, process: subprocess.Popen[bytes], log_start: int, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            pid_file = postmaster.read_pid_file(self.cluster)
            if pid_file == postmaster.PidFile(pid=process.pid, ready=True):
                return
            if process.poll() is not None:
                raise self._failure(log_start)
            time.sleep(0.01)
        raise PostgresFailedError(
            f"PostgreSQL was not ready within {timeout_seconds:g} s; it may be recovering after a crash. "
            f"See {self.log}."
        )

    def _failure(self, log_start: int) -> StartError:
        said = self.log.read_bytes()[log_start:].decode(errors="replace").strip()
        if "Address already in use" in said:
            return PortTakenError(self.port, "PostgreSQL")
        return PostgresFailedError(f"PostgreSQL did not start on {self.cluster}. It says:\n{said[-2000:]}")

    @staticmethod
    def _end(process: subprocess.Popen[bytes], patience_seconds: float) -> None:
        for sign in postmaster.SHUTDOWN_SIGNALS:
            process.send_signal(sign)
            try:
                process.wait(timeout=patience_seconds)
            except subprocess.TimeoutExpired:
                continue
            return

    def _psql(self, statement: str) -> str:
        done = subprocess.run(  # noqa: S603
            [
                str(wheel_install() / "bin" / "psql"),
                *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
                *("-h", LOOPBACK, "-p", str(self.port), "-U", SUPERUSER, "-d", MAINTENANCE_DATABASE),
                *("-c", statement),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environment() | {"PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "10"},
            check=False,
            text=True,
        )
        if done.returncode != 0:
            raise PostgresFailedError(f"{statement!r} failed: {done.stderr.strip()}")
        return done.stdout.strip()


def _checked(name: str) -> str:
    if not _DATABASE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a database name: use lower-case letters, digits and underscores.")
    return name
