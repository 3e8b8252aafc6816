"""How each thread of some processes fares: how much it ran, waited for a processor and slept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.metrics.cpu import PROC, UNREADABLE, Monotonic
from controller.scheduling import ThreadId, identify


@dataclass(frozen=True, slots=True)
class Activity:
    """One thread over one interval.

    Shares are of the interval. `wakes_per_s` counts how often it gave the processor up and came
    back, `preemptions_per_s` how often that was taken from it.
    """

    process: int
    utilisation: float
    run_delay_share: float
    wakes_per_s: float
    preemptions_per_s: float


@dataclass(frozen=True, slots=True)
class _Counters:
    """Since the thread began: nanoseconds it ran and waited, and its two kinds of switches."""

    thread: ThreadId
    ran_ns: int
    waited_ns: int
    voluntary: int
    involuntary: int


class ThreadActivitySensor:
    """Reads schedstat and status of every thread of the processes; two small files each.

    A thread that is new in an interval, or has ended, has no activity in it.
    """

    def __init__(self, root: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._root = root
        self._now_s = now_s
        self._counters: dict[int, _Counters] = {}
        self._read_at_s = 0.0

    def read(self, processes: Iterable[int]) -> Mapping[ThreadId, Activity]:
        """The activity of each thread since the last call."""
        now_s = self._now_s()
        elapsed_s, self._read_at_s = now_s - self._read_at_s, now_s
        before, self._counters = self._counters, {}
        active: dict[ThreadId, Activity] = {}
        for process in processes:
            for tid in self._threads(process):
                with contextlib.suppress(ThreadGoneError, *UNREADABLE):
                    earlier = before.get(tid)
                    counters = self._counters[tid] = self._read(process, tid, earlier)
                    if earlier is not None and earlier.thread == counters.thread:
                        active[counters.thread] = _activity(process, earlier, counters, elapsed_s)
        return active

    def _threads(self, process: int) -> list[int]:
        try:
            return [int(each.name) for each in (self._root / str(process) / "task").iterdir()]
        except OSError:
            return []

    def _read(self, process: int, tid: int, earlier: _Counters | None) -> _Counters:
        place = f"{self._root}/{process}/task/{tid}"
        ran, waited = map(int, _read(f"{place}/schedstat").split()[:2])
        switches = _read(f"{place}/status").rsplit(b"voluntary_ctxt_switches:", 2)
        voluntary = int(switches[1].split(None, 1)[0])
        again = earlier is not None and ran >= earlier.ran_ns
        thread = earlier.thread if again and earlier is not None else identify(tid)
        return _Counters(thread, ran, waited, voluntary, int(switches[2]))


def _activity(process: int, before: _Counters, now: _Counters, elapsed_s: float) -> Activity:
    return Activity(
        process=process,
        utilisation=(now.ran_ns - before.ran_ns) / 1e9 / elapsed_s,
        run_delay_share=(now.waited_ns - before.waited_ns) / 1e9 / elapsed_s,
        wakes_per_s=(now.voluntary - before.voluntary) / elapsed_s,
        preemptions_per_s=(now.involuntary - before.involuntary) / elapsed_s,
    )


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - read hundreds of times a second, and much faster
        return file.read()
