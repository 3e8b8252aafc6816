"""A small process that restores threads when the controller that changed them is gone.

`python -m controller.watchdog.watchdog PID LEASE_S` holds the lease: the controller registers each
thread before it changes it, and each setting of a server with the command that restores it, and
renews now and then. When the controller ends by any route, or stops renewing, the watchdog
restores what was registered; so it does where a real-time thread among them leaves a processor no
time for ordinary work. One JSON array a line each way.
Only the standard library is imported from here, so that it stays small.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from controller.errors import ThreadGoneError
from controller.linux.kernel_files import count, read_bytes
from controller.linux.os_errors import explained
from controller.linux.process_id import PROC
from controller.linux.scheduling import PRIORITY_MAX, REALTIME, Scheduling, ThreadId, read
from controller.watchdog.canary import LOOK_S, Canary
from controller.watchdog.execution import MainThread
from controller.watchdog.restoration import (
    Original,
    Restoration,
    RestoreCommand,
    present,
    restore_settings,
    restore_threads,
)

SUSPECT_SHARE = 0.93
"""Share of a processor that the threads raised run together, from which they may starve others:
one that never pauses is left with about 95 %."""


class Watchdog:
    """Keeps the originals, and restores them once the lease runs out or ordinary work starves."""

    def __init__(self, lease_s: float, canary: Canary | None = None) -> None:
        self._lease_s = lease_s
        self._canary = canary
        self._originals: dict[ThreadId, Original] = {}
        self._settings: list[RestoreCommand] = []
        self._ends_at_s: float | None = None
        self._ran_s: dict[ThreadId, float] = {}
        self._looked_at_s = 0.0

    def hear(self, line: bytes, now_s: float) -> bytes:
        """Take note of one message; any message renews. The answer, empty where none is due."""
        self._ends_at_s = now_s + self._lease_s
        word, *registered = json.loads(line)
        if word == "renew":
            return b""
        if word == "settings":
            self._settings = [tuple(each) for each in registered]
        else:
            self._originals = dict(map(decode, registered))
            if self._canary is not None:
                self._canary.patrol(bool(self._originals))
        return b'["registered"]\n'

    def look(self, now_s: float) -> bytes:
        """Restore where a thread that we raised starves a processor, and say so; else nothing."""
        if self._canary is None or not self._originals:
            return b""
        self._canary.suspect(self._busy_share(now_s) >= SUSPECT_SHARE)
        processor = self._canary.starves(now_s)
        if processor is None:
            return b""
        if not any(_may_hog(processor, *each) for each in present(self._originals).items()):
            self._canary.move_on()
            return b""
        self.restore_threads(f"processor {processor} had no time left for ordinary work")
        return json.dumps(["starved", processor]).encode() + b"\n"

    def _busy_share(self, now_s: float) -> float:
        """How much of a processor the threads ran since the last look that we may have raised.

        Those that were made to yield may run all the time: nobody starves for them.
        """
        raised = [thread for thread, original in self._originals.items() if _raised(original)]
        before, self._ran_s = self._ran_s, {}
        for thread in raised:
            with contextlib.suppress(ThreadGoneError):
                self._ran_s[thread] = _ran_s(thread)
        elapsed_s, self._looked_at_s = now_s - self._looked_at_s, now_s
        ran_s = sum(now - before.get(each, now) for each, now in self._ran_s.items())
        return ran_s / elapsed_s if elapsed_s > 0.0 else 0.0

    def remaining_s(self, now_s: float) -> float | None:
        """Seconds until the lease runs out; None where nothing is registered that could."""
        if self._ends_at_s is None or not (self._originals or self._settings):
            return None
        return max(0.0, self._ends_at_s - now_s)

    def expire(self) -> bytes:
        """Restore, since no renewal came, and say so; a later message starts a new lease."""
        self._ends_at_s = None
        self.restore("no sign of life from the controller")
        return b'["expired"]\n'

    def restore(self, why: str) -> None:
        """Restore every registered thread and setting, and report what that changed."""
        self._report(why, restore_threads(self._originals), restore_settings(self._settings))

    def restore_threads(self, why: str) -> None:
        """Restore every registered thread: no setting starves a processor."""
        self._report(why, restore_threads(self._originals), Restoration())

    def _report(self, why: str, threads: Restoration, settings: Restoration) -> None:
        if (threads, settings) != (Restoration(), Restoration()):
            with contextlib.suppress(OSError):  # the terminal may be gone with the controller
                print(_in_words(why, threads, settings), file=sys.stderr, flush=True)


def encode(thread: ThreadId, original: Original) -> list[object]:
    """A registration as JSON can hold it."""
    schedulings = map(_plain, (original.scheduling, *original.ours))
    registration = [thread.tid, thread.start_time, original.since, *schedulings]
    if (main := original.main) is None:
        return registration
    whose = {"tid": main.thread.tid, "start_time": main.thread.start_time}
    return [*registration, whose | {"found": _plain(main.found)}]


def decode(registration: list[Any]) -> tuple[ThreadId, Original]:
    """The registration that `encode` made."""
    tid, start_time, since, *schedulings = registration
    told = schedulings.pop() if isinstance(schedulings[-1], dict) else None
    main = None
    if told is not None:
        main = MainThread(ThreadId(told["tid"], told["start_time"]), _scheduling(told["found"]))
    found, *ours = map(_scheduling, schedulings)
    return ThreadId(tid, start_time), Original(found, since, tuple(ours), main)


def _scheduling(plain: list[Any]) -> Scheduling:
    policy, priority, nice, cpus, reset_on_fork = plain
    return Scheduling(policy, priority, nice, frozenset(cpus), reset_on_fork)


def _plain(how: Scheduling) -> list[object]:
    return [how.policy, how.priority, how.nice, sorted(how.cpus), how.reset_on_fork]


def _ran_s(thread: ThreadId, root: Path = PROC) -> float:
    """Processor time of a thread since it began, 0 where that makes no sense; ThreadGoneError.

    That of another thread with its number at worst has the canary look once too often.
    """
    try:
        return count(read_bytes(f"{root}/{thread.tid}/schedstat").split()[0]) / 1e9
    except OSError as error:
        raise ThreadGoneError(thread.tid) from error
    except (ValueError, IndexError):
        return 0.0


def _raised(original: Original) -> bool:
    """Whether what we set is real-time; where nobody told what we set, it may be."""
    return not original.ours or any(each.policy in REALTIME for each in original.ours)


def _may_hog(processor: int, thread: ThreadId, original: Original) -> bool:
    """Whether the thread is real-time there by our doing."""
    try:
        now = read(thread)
    except ThreadGoneError:
        return False
    return now.policy in REALTIME and processor in now.cpus and now != original.scheduling


def _in_words(why: str, threads: Restoration, settings: Restoration) -> str:
    words = f"kapellmeister watchdog: {why}; threads restored: {threads.restored}"
    if settings != Restoration():
        words += f"; settings restored: {settings.restored}"
    return "\n".join((words, *threads.refused, *settings.refused))


def _watch(watchdog: Watchdog, controller: int) -> None:
    """Listen until the controller is gone, whatever ended it.

    Children that it forked may keep the pipe open, so its process is looked for as well.
    """
    received = b""
    while os.getppid() == controller:
        now_s = time.monotonic()
        remaining_s = watchdog.remaining_s(now_s)
        if news := watchdog.expire() if remaining_s == 0.0 else watchdog.look(now_s):
            os.write(1, news)
        elif select.select([0], [], [], min(LOOK_S, remaining_s or LOOK_S))[0]:
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, received = (received + chunk).split(b"\n")
            for line in lines:
                os.write(1, watchdog.hear(line, time.monotonic()))


def _stand_above() -> None:
    """Run before the threads that it may have to restore, where the kernel grants that."""
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    for priority in (PRIORITY_MAX, PRIORITY_MAX + 1):  # the second is beyond some limits
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, policy, os.sched_param(priority))


def main() -> None:
    """Stand watch over the controller, restore, and end."""
    controller, lease_s = int(sys.argv[1]), float(sys.argv[2])
    for meant_for_the_terminal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(meant_for_the_terminal, signal.SIG_IGN)
    try:
        canary = Canary()
    except OSError as error:
        why, remedy = explained(error)
        refusal = ["refused", f"its canary cannot be started: {why}", remedy]
        os.write(1, json.dumps(refusal).encode() + b"\n")
        return
    _stand_above()
    watchdog = Watchdog(lease_s, canary)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(["ready", canary.pid]).encode() + b"\n")
        _watch(watchdog, controller)
    watchdog.restore("the controller is gone")
    canary.end()


if __name__ == "__main__":
    main()
