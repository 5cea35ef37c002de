"""The embedded PostgreSQL: kept data, crashes, and who may have its folder and port."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from studio.local.folder_lock import FolderInUseError
from studio.local.ports import LOOPBACK, PortTakenError
from studio.local.postgres import EmbeddedPostgres
from studio.local.postmaster import find_postmaster
from studio.local.processes import is_alive
from studio.local.trouble import StartError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop()


async def run(server: EmbeddedPostgres, statement: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_it_serves_version_18_with_crash_safety_and_scram_on(server: EmbeddedPostgres) -> None:
    shown = {name: await run(server, f"SHOW {name}") for name in ("server_version_num", "fsync", "listen_addresses")}
    stored = await run(server, "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")

    assert str(shown["server_version_num"]).startswith("18")
    assert shown["fsync"] == "on"
    assert shown["listen_addresses"] == "127.0.0.1"
    assert str(stored).startswith("SCRAM-SHA-256$")


async def test_the_password_is_asked_for_and_readable_by_its_owner_alone(
    server: EmbeddedPostgres, folder: Path
) -> None:
    file = folder / "postgres.password"

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn.replace(file.read_text().strip(), "guess"))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() not in " ".join(psutil.Process(server.pid).cmdline())
    assert file.read_text().strip() not in server.log.read_text()


async def test_data_are_kept_from_one_start_to_the_next(server: EmbeddedPostgres, folder: Path) -> None:
    await run(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()

    again = EmbeddedPostgres(folder)
    again.start()
    answer = await run(again, "SELECT answer FROM kept")
    again.stop()

    assert answer == 42


async def test_after_a_kill_of_the_server_it_starts_again_with_what_was_committed(
    server: EmbeddedPostgres,
) -> None:
    await run(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server.pid, signal.SIGKILL)

    assert await server.wait_died() == -signal.SIGKILL
    server.stop()
    server.start()

    assert await run(server, "SELECT answer FROM kept") == 42


def test_a_second_start_on_the_same_folder_is_refused_and_names_the_holder(
    server: EmbeddedPostgres, folder: Path
) -> None:
    with pytest.raises(FolderInUseError, match=f"in use by process {os.getpid()}"):
        EmbeddedPostgres(folder).start()

    assert server.is_running()


def test_a_taken_port_is_refused_by_number(folder: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"Port {port} .* is taken"):
            EmbeddedPostgres(folder, port).start()


def test_after_a_refused_start_the_folder_is_free_again(folder: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as holder, pytest.raises(PortTakenError):
        EmbeddedPostgres(folder, holder.getsockname()[1]).start()

    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()


def test_a_pid_file_that_names_somebody_elses_process_does_not_keep_it_from_starting(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    pid_file = server.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    owner = pid_file.stat()
    server.stop()
    as_owner = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=as_owner) as bystander:
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        try:
            server.start()

            assert bystander.poll() is None
        finally:
            bystander.kill()
            server.stop()


STARTS_AND_WAITS = """
import sys, time
from pathlib import Path
from studio.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_a_server_that_outlived_its_killed_supervisor_is_replaced_by_the_next(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_AND_WAITS, folder], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        orphan = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()

    server = EmbeddedPostgres(folder)
    server.start()

    assert not is_alive(orphan)
    assert find_postmaster(server.cluster) == psutil.Process(server.pid)
    assert server.has_database("postgres")
    server.stop()


def test_a_set_up_that_was_cut_short_is_begun_anew(folder: Path) -> None:
    (folder / "cluster.new" / "base").mkdir(parents=True)

    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()

    assert not (folder / "cluster.new").exists()


def test_a_lost_password_is_reported_with_both_ways_out(server: EmbeddedPostgres, folder: Path) -> None:
    server.stop()
    (folder / "postgres.password").unlink()

    with pytest.raises(StartError, match="Put it back, or remove"):
        server.start()


def test_a_server_that_cannot_run_says_why_in_its_own_words(folder: Path) -> None:
    with pytest.raises(StartError, match="no_such_setting"):
        EmbeddedPostgres(folder, settings={"no_such_setting": "1"}).start()


async def test_a_database_can_be_copied_and_dropped_with_sessions_open(server: EmbeddedPostgres) -> None:
    server.create_database("original")
    first = await asyncpg.connect(server.dsn_for("original"))
    await first.execute("CREATE TABLE copied AS SELECT 7 AS answer")
    await first.close()

    server.create_database("copy", template="original")

    session = await asyncpg.connect(server.dsn_for("copy"))
    assert await session.fetchval("SELECT answer FROM copied") == 7
    server.drop_database("copy")
    assert not server.has_database("copy")
    assert server.has_database("original")
    session.terminate()


def test_a_database_name_that_is_not_one_never_reaches_the_server(server: EmbeddedPostgres) -> None:
    with pytest.raises(ValueError, match="not a database name"):
        server.create_database('x"; DROP DATABASE postgres; --')


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")
def test_root_leaves_the_parents_closed_and_lets_only_the_child_drop_its_rights(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "data")

    server.start()
    uids = psutil.Process(server.pid).uids()
    server.stop()

    assert uids.real != 0
    assert uids.effective != 0
    assert uids.saved != 0
    assert [stat.S_IMODE(each.stat().st_mode) for each in (closed, closed / "data")] == [0o700, 0o700]
