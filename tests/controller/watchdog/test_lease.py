"""The lease and its watchdog with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.errors import WatchdogError
from controller.linux import scheduling
from controller.linux.scheduling import Scheduling, ThreadId
from controller.watchdog.lease import Lease

pytestmark = pytest.mark.live
changes_what_it_found = pytest.mark.skipif(
    not scheduling.demotion_is_reversible(),
    reason="without CAP_SYS_NICE a thread that was made to yield could not be restored",
)

# A controller in miniature: it pushes a process to the background, forks a child that keeps
# its pipes open, and lives on without or with renewals.
CONTROLLER = """
import os, sys, time
from controller.linux import scheduling
from controller.watchdog.lease import Lease
lease_s, renews = float(sys.argv[2]), sys.argv[3] == "renew"
lease = Lease(lease_s)
(thread,) = scheduling.threads_of(int(sys.argv[1]))
lease.register(thread)
found = lease.originals()[thread].scheduling
scheduling.write(thread, scheduling.Scheduling(os.SCHED_IDLE, 0, 7, found.cpus))
if os.fork() == 0:
    os.setsid()
    time.sleep(6)
    os._exit(0)
print("registered", flush=True)
while True:
    time.sleep(0.05)
    if renews:
        lease.renew()
"""
SPINNER = "while True: pass"


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        home = Path(__file__).parents[3]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=home)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


Start = Callable[..., subprocess.Popen[str]]


def only_thread(process: subprocess.Popen[str]) -> ThreadId:
    (thread,) = scheduling.threads_of(process.pid)
    return thread


def controller_over(start: Start, target: subprocess.Popen[str], lease_s: float, how: str) -> int:
    process = start(CONTROLLER, target.pid, lease_s, how)
    assert process.stdout is not None
    assert process.stdout.readline() == "registered\n"
    assert scheduling.read(only_thread(target)).policy == os.SCHED_IDLE
    return process.pid


def until_restored(thread: ThreadId, found: Scheduling, patience_s: float) -> bool:
    give_up_s = time.monotonic() + patience_s
    while time.monotonic() < give_up_s:
        if scheduling.read(thread) == found:
            return True
        time.sleep(0.01)
    return False


@changes_what_it_found
def test_after_kill_9_of_the_controller_under_stress_all_is_restored(start: Start) -> None:
    target = start(SPINNER)
    found = scheduling.read(only_thread(target))
    controller = controller_over(start, target, 60.0, "renew")
    for _ in range(4):
        start(SPINNER)
    os.kill(controller, signal.SIGKILL)
    assert until_restored(only_thread(target), found, 2.0)


@changes_what_it_found
def test_a_controller_that_stopped_loses_its_lease(start: Start) -> None:
    target = start(SPINNER)
    found = scheduling.read(only_thread(target))
    controller = controller_over(start, target, 0.5, "renew")
    os.kill(controller, signal.SIGSTOP)
    assert until_restored(only_thread(target), found, 3.0)


@changes_what_it_found
def test_a_controller_that_renews_keeps_its_lease(start: Start) -> None:
    target = start(SPINNER)
    found = scheduling.read(only_thread(target))
    controller_over(start, target, 0.5, "renew")
    assert not until_restored(only_thread(target), found, 1.5)


def test_a_lease_that_ran_out_is_reported_once(start: Start) -> None:
    target = start(SPINNER)
    with Lease(lease_s=0.2) as lease:
        lease.register(only_thread(target))
        assert lease.renew()
        time.sleep(0.8)
        assert not lease.renew()
        assert lease.renew()


@changes_what_it_found
def test_a_watchdog_that_died_is_replaced_and_told_everything(start: Start) -> None:
    target = start(SPINNER)
    thread = only_thread(target)
    found = scheduling.read(thread)
    lease = Lease()
    lease.register(thread)
    assert lease._watchdog is not None
    first = lease._watchdog.pid
    kill_watchdog(lease)
    assert lease.renew()
    assert lease._watchdog.pid != first
    scheduling.write(thread, Scheduling(os.SCHED_BATCH, 0, 3, found.cpus))
    lease._watchdog.stdin.close()  # type: ignore[union-attr] # what the end of the controller does
    assert until_restored(thread, found, 2.0)
    lease.release()


def kill_watchdog(lease: Lease) -> None:
    pid = lease.watchdog_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@changes_what_it_found
def test_without_any_watchdog_nothing_stays_changed_and_nothing_more_is_registered(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = only_thread(start(SPINNER))
    found = scheduling.read(thread)
    with Lease() as lease:
        lease.register(thread)
        scheduling.write(thread, Scheduling(os.SCHED_BATCH, 0, 3, found.cpus))
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", "/nonexistent/python")
            kill_watchdog(lease)
            assert not lease.renew()
            assert scheduling.read(thread) == found
            assert lease.renew()
            with pytest.raises(WatchdogError, match="cannot be started"):
                lease.register(thread)
        lease.register(thread)
        assert lease.watchdog_pid is not None


@changes_what_it_found
def test_restoring_needs_no_watchdog(start: Start) -> None:
    thread = only_thread(start(SPINNER))
    found = scheduling.read(thread)
    with Lease() as lease:
        lease.register(thread)
        scheduling.write(thread, Scheduling(os.SCHED_BATCH, 0, 3, found.cpus))
        kill_watchdog(lease)
        assert lease.restore().restored == 1
        assert scheduling.read(thread) == found
        lease.register(thread)
        assert lease.watchdog_pid is not None


def test_a_watchdog_that_no_longer_listens_never_blocks_its_controller(start: Start) -> None:
    thread = only_thread(start(SPINNER))
    with Lease() as lease:
        lease.register(thread)
        stopped = lease.watchdog_pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        for _ in range(10_000):  # more than a pipe holds
            assert lease.renew()
        assert lease.watchdog_pid != stopped


@changes_what_it_found
def test_release_restores_and_leaves_no_process(start: Start) -> None:
    target = start(SPINNER)
    thread = only_thread(target)
    found = scheduling.read(thread)
    lease = Lease()
    lease.register(thread)
    assert lease._watchdog is not None
    watchdog = lease._watchdog.pid
    scheduling.write(thread, Scheduling(os.SCHED_BATCH, 0, 3, found.cpus))
    assert lease.release().restored == 1
    assert scheduling.read(thread) == found
    assert not Path(f"/proc/{watchdog}").exists()
    assert lease.release().restored == 0


KEEPER = """
import sys, time
from controller.watchdog.lease import Lease
lease, path = Lease(), sys.argv[1]
lease.register_setting("a file", ("sh", "-c", f"echo found > {path}"))
open(path, "w").write("changed")
print("registered", flush=True)
time.sleep(60)
"""


def test_a_setting_is_restored_though_the_controller_is_killed(
    start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "setting"
    controller = start(KEEPER, file)
    assert controller.stdout is not None
    assert controller.stdout.readline() == "registered\n"
    assert file.read_text() == "changed"
    controller.kill()
    give_up_s = time.monotonic() + 2.0
    while file.read_text() != "found\n":
        assert time.monotonic() < give_up_s, "not restored within 2 s"
        time.sleep(0.01)


def test_a_setting_is_restored_once_and_by_the_lease_where_that_is_released(tmp_path: Path) -> None:
    file = tmp_path / "setting"
    with Lease() as lease:
        lease.register_setting("a file", ("sh", "-c", f"echo found >> {file}"))
        lease.register_setting("another", ("false",))
        lease.forget_setting("another")
    assert file.read_text() == "found\n"
    assert lease.settings() == ()


def test_a_setting_that_cannot_be_restored_is_tried_once_told_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "tried"
    command = ("sh", "-c", f"echo tried >> {file}; echo frozen >&2; exit 1")
    lease = Lease()
    lease.register_setting("a server's", command)
    lease.restore_setting("a server's")
    (refused,) = lease.release().refused
    assert refused.endswith("`: frozen")
    assert lease.settings() == (command,)
    assert file.read_text() == "tried\n"


def test_signals_meant_for_the_terminal_do_not_end_the_watchdog(start: Start) -> None:
    target = start(SPINNER)
    with Lease() as lease:
        lease.register(only_thread(target))
        assert lease._watchdog is not None
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(lease._watchdog.pid, each)
        watchdog = lease._watchdog.pid
        assert lease.renew()
        lease.register(only_thread(start(SPINNER)))
        assert lease._watchdog.pid == watchdog


def test_the_watchdog_survives_a_thread_that_ended(start: Start) -> None:
    gone = start(SPINNER)
    target = start(SPINNER)
    with Lease() as lease:
        lease.register(only_thread(gone), only_thread(target))
        ended = only_thread(gone)
        gone.kill()
        gone.wait()
        assert lease.restore().refused == ()
        lease.register(ended)
        assert lease.originals() == {}


def test_the_watchdog_stays_small(start: Start) -> None:
    with Lease.start() as lease:
        status = Path(f"/proc/{lease.watchdog_pid}/status").read_text(encoding="ascii")
        (resident,) = (line.split()[1] for line in status.splitlines() if "VmRSS" in line)
        assert int(resident) < 20 * 1024
