"""A killed supervisor leaves nothing running, and nobody else's process is touched."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from studio.local.lifeline import Lifeline
from studio.local.postgres import EmbeddedPostgres
from studio.local.processes import is_alive, wait_gone

SUPERVISOR = """
import json, subprocess, sys, time
from pathlib import Path
from studio.local.broker import EmbeddedBroker
from studio.local.lifeline import Lifeline
from studio.local.postgres import EmbeddedPostgres

lifeline = Lifeline()
lifeline.start()
postgres = EmbeddedPostgres(Path(sys.argv[1]))
lifeline.guard_cluster(postgres.cluster)
postgres.start()
broker = EmbeddedBroker(["any"])
broker.start()
lifeline.guard_process(broker.pid)
stubborn = "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN); " \\
    "p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
service = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True, stdout=subprocess.PIPE)
grandchild = int(service.stdout.readline())
lifeline.guard_process(service.pid)
print(json.dumps([lifeline.pid, postgres.pid, broker.pid, service.pid, grandchild]), flush=True)
time.sleep(60)
"""


def test_a_killed_supervisor_leaves_nothing_running_and_the_database_shut_down_cleanly(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR, tmp_path], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        left_over = [psutil.Process(pid) for pid in json.loads(supervisor.stdout.readline())]

        supervisor.kill()

        assert wait_gone(left_over, patience_seconds=10) == []

    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()
    assert not (tmp_path / "cluster" / "postmaster.pid").exists()


def test_a_terminal_interrupt_for_everybody_does_not_end_the_lifeline() -> None:
    lifeline = Lifeline()
    lifeline.start()
    bystander = start_sleeper()
    lifeline.guard_process(bystander.pid)
    wait_until_deaf(lifeline.pid)

    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(lifeline.pid, sign)
    lifeline.stop()

    assert bystander.wait(timeout=5) == -signal.SIGTERM


def test_a_forgotten_process_is_left_alone() -> None:
    lifeline = Lifeline()
    lifeline.start()
    bystander = start_sleeper()
    lifeline.guard_process(bystander.pid)

    lifeline.forget_process(bystander.pid)
    lifeline.stop()

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_process_that_took_over_the_pid_of_a_guarded_one_is_left_alone() -> None:
    bystander = start_sleeper()
    earlier = psutil.Process(bystander.pid).create_time() - 100

    finish_lifeline([{"child": bystander.pid, "started": earlier, "leads": False}])

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_line_cut_short_by_the_supervisors_death_does_not_spoil_the_others() -> None:
    guarded = start_sleeper()
    message = json.dumps({"child": guarded.pid, "started": psutil.Process(guarded.pid).create_time(), "leads": False})

    run_lifeline(f'{message}\n{{"child": 12')

    assert guarded.wait(timeout=5) == -signal.SIGTERM


def test_a_cluster_that_nobody_serves_is_no_trouble(tmp_path: Path) -> None:
    finish_lifeline([{"postgres": {"cluster": str(tmp_path / "cluster")}}])


def test_the_members_of_a_group_are_ended_also_when_their_leader_is_gone() -> None:
    script = "import subprocess; p = subprocess.Popen(['sleep', '60'], stdout=2); print(p.pid, flush=True); input()"
    lifeline = Lifeline()
    lifeline.start()
    leader = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert leader.stdout is not None
    member = psutil.Process(int(leader.stdout.readline()))
    lifeline.guard_process(leader.pid)
    wait_until_deaf(lifeline.pid)
    leader.communicate()
    assert is_alive(member)

    lifeline.stop()

    assert wait_gone([member], patience_seconds=5) == []


async def test_a_killed_lifeline_is_noticed_and_the_next_knows_as_much(tmp_path: Path) -> None:
    lifeline = Lifeline()
    lifeline.start()
    server = EmbeddedPostgres(tmp_path)
    lifeline.guard_cluster(server.cluster)
    server.start()
    os.kill(lifeline.pid, signal.SIGKILL)

    assert await lifeline.wait_died() == -signal.SIGKILL
    lifeline.start()
    lifeline.stop()

    assert await server.wait_died() == 0
    server.stop()


def start_sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], start_new_session=True)


def finish_lifeline(messages: list[dict[str, object]]) -> None:
    run_lifeline("".join(json.dumps(message) + "\n" for message in messages))


def run_lifeline(text: str) -> None:
    subprocess.run([sys.executable, "-m", "studio.local.lifeline"], input=text, text=True, check=True, timeout=30)


def wait_until_deaf(pid: int) -> None:
    """Wait until the lifeline has begun to ignore signals, which it does before it reads."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("tells when a process ignores signals from /proc, which this platform lacks")
    # Whoever runs the tests may ignore some of them already.
    mask = sum(1 << (sign - 1) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    for _ in range(10_000):
        ignored = next(line for line in status.read_text().splitlines() if line.startswith("SigIgn"))
        if int(ignored.split()[1], 16) & mask == mask:
            return
    raise AssertionError("the lifeline did not begin to ignore signals")
