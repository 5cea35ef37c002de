"""`promotion up`: what it says, what it keeps, and that nothing of it stays behind."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil

from studio.local.identities import IDENTITIES
from studio.local.processes import wait_gone
from tests.integration.studio.conftest import StartStack
from tests.integration.studio.running import PROGRAM, READY_SECONDS, RunningStack, run_program, until

STARTS_AND_WAITS = "import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()"


def test_the_ready_file_says_where_everything_is(stack: RunningStack) -> None:
    ready = stack.ready

    assert set(ready) == {"api", "kafka", "postgres", "gateways", "processes", "environment", "tokens"}
    assert [gateway["id"] for gateway in ready["gateways"]] == ["gw-development", "gw-staging", "gw-production"]
    assert all(Path(gateway["log"]).exists() for gateway in ready["gateways"])
    assert set(ready["tokens"]) == {identity.name for identity in IDENTITIES} - {"delegate"}
    assert ready["environment"]["PROMOTION_URL"] == ready["api"]
    assert all(psutil.pid_exists(pid) for pid in ready["processes"].values())


def test_what_holds_secrets_is_readable_by_its_owner_alone(stack: RunningStack) -> None:
    secrets = [stack.ready_file, stack.data / "identities.json", stack.data / "key.pepper", stack.data / "ready.json"]

    assert [stat.S_IMODE(path.stat().st_mode) for path in secrets] == [0o600] * 4
    assert stat.S_IMODE(stack.data.stat().st_mode) == 0o700


def test_it_says_that_the_broker_is_in_memory(stack: RunningStack) -> None:
    assert "embedded and in memory" in stack.said


def test_an_event_handed_in_over_http_passes_through_kafka(stack: RunningStack) -> None:
    stack.announce("dep-through-kafka")

    until(lambda: stack.knows("dep-through-kafka"))


def test_the_same_folder_cannot_serve_two(stack: RunningStack) -> None:
    second = run_program(os.environ, "up", "--port", "0", "--gateway-ports", "0,0,0", "--data-dir", str(stack.data))

    assert second.returncode == 1
    assert f"is in use by process {stack.ready['processes']['supervisor']}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_program(
            os.environ, "up", "--port", str(port), "--gateway-ports", "0,0,0", "--data-dir", str(tmp_path / "data")
        )

    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr
    assert _processes_of(tmp_path) == []


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    environment = os.environ | {"PROMOTION_NONSENSE": "1"}

    done = run_program(environment, "up", "--port", "0", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert "PROMOTION_NONSENSE" in done.stderr
    assert _processes_of(tmp_path) == []


def test_a_second_instance_of_a_service_refuses_to_start_on_the_embedded_broker(stack: RunningStack) -> None:
    ready = stack.ready
    settings = {
        "DATABASE_URL": ready["postgres"],
        "KAFKA_BOOTSTRAP_SERVERS": ready["kafka"],
        "PROMOTION_KAFKA_FLAVOUR": "embedded",
        "PROMOTION_KEY_PEPPER": "x" * 32,
    }

    second = run_program(os.environ | settings, "run", "inventory")

    assert second.returncode == 2
    assert "inventory is running already" in second.stderr
    assert "Apache Kafka" in second.stderr


def test_stopping_ends_everything_in_time_and_the_next_run_finds_data_and_keys(start_stack: StartStack) -> None:
    first = start_stack()
    first.announce("dep-kept")
    until(lambda: first.knows("dep-kept"))
    tokens, processes = first.ready["tokens"], first.processes()
    began = time.monotonic()

    first.signal(signal.SIGTERM)
    status = first.wait()

    assert status == 0
    assert time.monotonic() - began < 10
    assert not any(process.is_running() for process in processes)
    assert not first.ready_file.exists()

    second = start_stack()
    assert second.ready["tokens"] == tokens
    assert second.knows("dep-kept")


def test_a_killed_supervisor_leaves_nothing_running(start_stack: StartStack) -> None:
    stack = start_stack("--processes")
    processes = stack.processes()

    stack.signal(signal.SIGKILL)

    _, alive = psutil.wait_procs(processes, timeout=15)
    assert alive == []


def test_a_stack_that_is_attached_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    command = [
        *(PROGRAM, "up", "--attached", "--port", "0", "--gateway-ports", "0,0,0"),
        *("--data-dir", str(tmp_path / "data"), "--ready-file", str(ready_file)),
    ]
    starter = subprocess.Popen([sys.executable, "-c", STARTS_AND_WAITS, *command])
    until(ready_file.exists, READY_SECONDS)
    processes = [psutil.Process(pid) for pid in json.loads(ready_file.read_text())["processes"].values()]

    starter.kill()
    starter.wait()

    assert wait_gone(processes, patience_seconds=20) == []
    assert not ready_file.exists()


def test_attached_needs_a_pipe(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "up", "--attached", "--port", "0", "--data-dir", str(tmp_path / "data")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, "needs a pipe" in done.stderr) == (1, True)


def _processes_of(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if str(folder) in " ".join(process.info["cmdline"] or []) or str(folder) in (process.info["cwd"] or "")
    ]
