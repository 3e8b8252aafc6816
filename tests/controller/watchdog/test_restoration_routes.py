"""Whatever ends control, foreign threads are within two seconds as they were found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.linux import scheduling
from controller.linux.permissions import permitted
from controller.linux.scheduling import Scheduling, ThreadId

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[3]
LAST = max(os.sched_getaffinity(0))
PRIVILEGED = permitted().realtime

# Threads that somebody else has scheduled each in its own way; those that need privilege only
# where it is granted.
FOREIGN = f"""
import os, threading
def thread(prepare):
    def body():
        prepare()
        ready.wait()
        threading.Event().wait()
    threading.Thread(target=body, daemon=True).start()
def policy(number, priority=0):
    return lambda: os.sched_setscheduler(0, number, os.sched_param(priority))
ways = [
    lambda: None,
    policy(os.SCHED_BATCH),
    lambda: os.sched_setaffinity(0, {{{LAST}}}),
]
if {PRIVILEGED}:
    ways += [
        policy(os.SCHED_IDLE),
        policy(os.SCHED_FIFO, 10),
        policy(os.SCHED_RR | os.SCHED_RESET_ON_FORK, 20),
        lambda: os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5),
        lambda: os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -5),
    ]
ready = threading.Barrier(len(ways) + 1)
for way in ways:
    thread(way)
ready.wait()
print("up", flush=True)
threading.Event().wait()
"""

# A controller in miniature: it changes all about every thread that can be changed and undone,
# and renews every 50 ms.
CONTROLLER = f"""
import os, signal, sys, time
from controller.linux import scheduling
from controller.linux.permissions import permitted
from controller.watchdog.lease import Lease
from controller.linux.scheduling import Scheduling
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append("SIGTERM"))
lease_s, lasts_s = float(sys.argv[2]), float(sys.argv[3])
with Lease.start(lease_s) as lease:
    threads = scheduling.threads_of(int(sys.argv[1]))
    lease.register(*threads)
    for thread in threads:
        one = frozenset({{min(os.sched_getaffinity(0))}})
        if {PRIVILEGED}:
            scheduling.write(thread, Scheduling(os.SCHED_FIFO, 30, 3, one, True))
        else:
            policy = os.SCHED_BATCH
            scheduling.write(thread, Scheduling(policy, 0, 0, one))
    print(lease.watchdog_pid, flush=True)
    end_s = time.monotonic() + lasts_s
    while not ended and time.monotonic() < end_s:
        time.sleep(0.05)
        lease.renew()
        print(lease.watchdog_pid, flush=True)
"""


@dataclass
class Scene:
    """A foreign process under control; `found` is how its threads were before."""

    found: dict[ThreadId, Scheduling]
    controller: subprocess.Popen[str]
    watchdog: int

    def next_watchdog(self) -> int:
        """The watchdog that takes the place of one which was killed."""
        assert self.controller.stdout is not None
        return next(int(line) for line in self.controller.stdout if int(line) != self.watchdog)

    def restored_within(self, patience_s: float) -> bool:
        give_up_s = time.monotonic() + patience_s
        while self.now() != self.found:
            if time.monotonic() > give_up_s:
                return False
            time.sleep(0.01)
        return True

    def now(self) -> dict[ThreadId, Scheduling]:
        return {thread: scheduling.read(thread) for thread in self.found}


Begin = Callable[..., Scene]


@pytest.fixture
def begin() -> Iterator[Begin]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
        return started[-1]

    def begin(lease_s: float = 60.0, lasts_s: float = 60.0) -> Scene:
        foreign = start(FOREIGN)
        assert foreign.stdout is not None
        assert foreign.stdout.readline() == "up\n"
        found = {each: scheduling.read(each) for each in scheduling.threads_of(foreign.pid)}
        assert len(set(found.values())) >= 3
        controller = start(CONTROLLER, foreign.pid, lease_s, lasts_s)
        assert controller.stdout is not None
        scene = Scene(found, controller, int(controller.stdout.readline()))
        assert not any(scene.now()[each] == found[each] for each in found)
        return scene

    yield begin
    for process in reversed(started):
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_the_controller_ends_by_itself(begin: Begin) -> None:
    scene = begin(lasts_s=0.3)
    assert scene.restored_within(2.3)


def test_sigterm(begin: Begin) -> None:
    scene = begin()
    scene.controller.terminate()
    assert scene.restored_within(2.0)


def test_sigkill_of_the_controller(begin: Begin) -> None:
    scene = begin()
    scene.controller.kill()
    assert scene.restored_within(2.0)


def test_sigkill_of_the_watchdog_and_sigterm_of_the_controller(begin: Begin) -> None:
    scene = begin()
    os.kill(scene.watchdog, signal.SIGKILL)
    scene.controller.terminate()
    assert scene.restored_within(2.0)


def test_sigkill_of_the_watchdog_and_then_of_the_controller(begin: Begin) -> None:
    scene = begin()
    os.kill(scene.watchdog, signal.SIGKILL)
    scene.next_watchdog()
    scene.controller.kill()
    assert scene.restored_within(2.0)


def test_the_end_of_the_lease(begin: Begin) -> None:
    scene = begin(lease_s=0.5)
    os.kill(scene.controller.pid, signal.SIGSTOP)
    assert scene.restored_within(0.5 + 2.0)
