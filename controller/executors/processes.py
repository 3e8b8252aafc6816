"""Child processes by class of work, forked so that they share what is already loaded."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

from controller.executors.executor import Process
from controller.linux.prctl import die_with_parent, name_process

_PR_SET_TIMERSLACK = 29


class ProcessGroup:
    """Starts, watches and ends the children of one pipeline."""

    def __init__(self) -> None:
        self._running: dict[int, Process] = {}
        self._stopped: set[int] = set()
        self._descriptors: dict[int, int] = {}

    def start(self, name: str, work_class: str, run: Callable[[], None]) -> Process:
        """Fork a child that runs `run` and ends; it dies with this process at the latest."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _run_child(name, run)
        process = Process(pid, name, work_class)
        self._running[pid] = process
        with contextlib.suppress(OSError):  # kernels before 5.3: its end is noticed when asked for
            self._descriptors[pid] = os.pidfd_open(pid)
        return process

    def reap(self) -> tuple[Process, ...]:
        """The children that have ended of their own accord since the last call."""
        ended = [self._running.pop(pid) for pid in tuple(self._running) if _has_ended(pid)]
        for process in ended:
            self._close_descriptor(process.pid)
        unasked = tuple(process for process in ended if process.pid not in self._stopped)
        self._stopped -= {process.pid for process in ended}
        return unasked

    def descriptors(self) -> tuple[int, ...]:
        """File descriptors, one of which is readable once a child has ended, until `reap`."""
        return tuple(self._descriptors.values())

    def by_class(self) -> dict[str, tuple[int, ...]]:
        """Process ids of each class of work."""
        classes: dict[str, tuple[int, ...]] = {}
        for process in self._running.values():
            classes[process.work_class] = (*classes.get(process.work_class, ()), process.pid)
        return classes

    def stop(self, process: Process) -> None:
        """End one child now.

        One that has ended keeps its number until `reap`; afterwards another may have it.
        """
        if self._running.get(process.pid) == process:
            self._stopped.add(process.pid)
            self.kill(process)

    def kill(self, process: Process) -> None:
        """End one child now, and tell of its end as if that had been of its own accord."""
        if self._running.get(process.pid) == process:
            os.kill(process.pid, signal.SIGKILL)

    def stop_all(self, patience_s: float = 2.0) -> None:
        """End every child and wait until they are gone."""
        for process in self._running.values():
            self.stop(process)
        give_up_s = time.monotonic() + patience_s
        while self._running and time.monotonic() < give_up_s:
            self.reap()
            time.sleep(0.005)

    def _close_descriptor(self, pid: int) -> None:
        if pid in self._descriptors:
            os.close(self._descriptors.pop(pid))


def prepare_process(*, name: str) -> None:
    """Make this process fit for sound: it dies with its parent, and nothing in it pauses it."""
    die_with_parent(signal.SIGKILL)
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    name_process(name)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN if ignored == signal.SIGINT else signal.SIG_DFL)
    sys.setswitchinterval(0.0005)
    gc.disable()


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _run_child(name: str, run: Callable[[], None]) -> None:
    status = 1
    try:
        prepare_process(name=name)
        run()
        status = 0
    except BaseException:  # noqa: BLE001 - the child ends here whatever happened, and says why
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
