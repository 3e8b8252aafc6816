"""How each thread of some processes fares: how much it ran, waited for a processor and slept."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.linux.process_id import ProcessId, read_process
from controller.linux.scheduling import ThreadId, identify
from controller.sensors.cpu import LONGEST_WAIT_S, PROC, TOLERANCE, UNREADABLE, Monotonic

Mark = tuple[int, tuple[bytes, ...]]
"""Inode of a thread's folder, which no later thread with its number shares, and where the code
of its program lies, which is elsewhere after each exec."""


@dataclass(frozen=True, slots=True)
class Activity:
    """The work of a thread over an interval.

    Shares are of the interval. `wakes_per_s` counts how often it gave the processor up and came
    back, `preemptions_per_s` how often that was taken from it.
    """

    process: ProcessId
    utilisation: float
    run_delay_share: float
    wakes_per_s: float
    preemptions_per_s: float

    @property
    def demand_share(self) -> float:
        """The share of the interval in which it ran or could have."""
        return self.utilisation + self.run_delay_share


@dataclass(frozen=True, slots=True)
class _Counters:
    """Since the thread began: nanoseconds it ran and waited, how often it ran, its switches."""

    thread: ThreadId
    mark: Mark
    ran_ns: int
    waited_ns: int
    runs: int
    voluntary: int
    involuntary: int

    def is_same(self, later: _Counters) -> bool:
        """Whether the later ones are of the same thread, in the same program."""
        return self.thread == later.thread and self.mark[1] == later.mark[1]


class ThreadActivitySensor:
    """Reads schedstat of every thread of the processes, and status of those that run often.

    A process whose number another has by now is not read. A thread that is new in an interval,
    or has ended, has no activity in it, nor has one of a program that called exec: it is new.
    The kernel takes longer to write the status than all else: where a thread ran less often than
    is asked about, each run counts as a wake-up.
    """

    def __init__(self, root: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._root = root
        self._now_s = now_s
        self._counters: dict[int, _Counters] = {}
        self._read_at_s = 0.0

    def read(self, often_per_s: Mapping[ProcessId, float]) -> Mapping[ThreadId, Activity]:
        """The activity of each thread of these processes since the last call.

        Wake-ups are told from preemptions of threads that ran at least so often.
        """
        now_s = self._now_s()
        elapsed_s, self._read_at_s = now_s - self._read_at_s, now_s
        before, self._counters = self._counters, {}
        active: dict[ThreadId, Activity] = {}
        for process, often in often_per_s.items():
            for place, tid, mark in self._threads(process):
                earlier = before.get(tid)
                with contextlib.suppress(ThreadGoneError, *UNREADABLE):
                    counters = _counters(place, tid, mark, earlier, often * elapsed_s)
                    self._counters[tid] = counters
                    if earlier is not None and earlier.is_same(counters):
                        active[counters.thread] = _activity(process, earlier, counters, elapsed_s)
        return active

    def _threads(self, process: ProcessId) -> Iterator[tuple[str, int, Mark]]:
        """The folder of each, its number and its mark."""
        with contextlib.suppress(ThreadGoneError, OSError):
            stat = read_process(process.pid, self._root)
            if stat.process != process:
                return
            folder = f"{self._root}/{process.pid}/task"
            with os.scandir(folder) as threads:
                for each in threads:
                    yield f"{folder}/{each.name}", int(each.name), (each.inode(), stat.image)


def _counters(
    place: str, tid: int, mark: Mark, earlier: _Counters | None, often: float
) -> _Counters:
    ran, waited, runs = map(int, _read(f"{place}/schedstat").split()[:3])
    if earlier is None or mark != earlier.mark or ran < earlier.ran_ns:  # perhaps another thread
        return _Counters(identify(tid), mark, ran, waited, runs, *_switches(place))
    since = runs - earlier.runs
    if since < often:
        switches = earlier.voluntary + since, earlier.involuntary
    else:
        switches = _switches(place)
    return _Counters(earlier.thread, mark, ran, waited, runs, *switches)


def _switches(place: str) -> tuple[int, int]:
    """How often a thread gave the processor up, and how often that was taken from it."""
    switches = _read(f"{place}/status").rsplit(b"voluntary_ctxt_switches:", 2)
    return int(switches[1].split(None, 1)[0]), int(switches[2])


def _activity(process: ProcessId, before: _Counters, now: _Counters, elapsed_s: float) -> Activity:
    """The activity between two readings. Raises ValueError where that cannot be."""
    ran_s, waited_s = (now.ran_ns - before.ran_ns) / 1e9, (now.waited_ns - before.waited_ns) / 1e9
    most_s = (1.0 + TOLERANCE) * elapsed_s
    if not (0.0 <= ran_s <= most_s and 0.0 <= waited_s <= LONGEST_WAIT_S and elapsed_s > 0.0):
        raise ValueError("counters that cannot be true")
    return Activity(
        process=process,
        utilisation=min(1.0, ran_s / elapsed_s),
        run_delay_share=waited_s / elapsed_s,
        # Fewer than were taken for such, where preemptions were counted among them.
        wakes_per_s=max(0, now.voluntary - before.voluntary) / elapsed_s,
        preemptions_per_s=max(0, now.involuntary - before.involuntary) / elapsed_s,
    )


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)  # a file object takes half as long again
    try:
        return os.read(descriptor, 1 << 14)
    finally:
        os.close(descriptor)
