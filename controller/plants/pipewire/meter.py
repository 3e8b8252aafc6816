"""How the cycles of a PipeWire graph are counted: by pw-top, or by pw-profiler before 0.3.79."""

from __future__ import annotations

import time
from typing import Protocol

from controller.plants.monitor_process import Line
from controller.plants.pipewire.pw_profiler import Rows
from controller.plants.pipewire.pw_top import Row, Tables

TOP_TELLS_FROM = (0, 3, 79)
"""The first version whose pw-top prints to others than a terminal."""
MICROSECONDS_A_SECOND = 1e6


class Meter(Protocol):
    """Makes counts of what a tool says.

    `quantum` is that of the last cycle, 0 before the first; `cycles` and `missed` grow from the
    start, through all restarts of the tool.
    """

    quantum: int
    cycles: float

    def begin(self) -> tuple[str, ...]:
        """The command line of the tool, that is about to be started anew."""
        ...

    def feed(self, chunk: bytes, rate_hz: int) -> None:
        """Take more of what it wrote; `rate_hz` is the server's rate."""
        ...

    def line(self) -> Line:
        """What was counted in all, and the times of the cycles since the last line."""
        ...


class ProfilerMeter:
    """Counts every cycle, of the driver that began first."""

    def __init__(self) -> None:
        self.quantum, self.cycles = 0, 0.0
        self._missed = 0
        self._rows = Rows()
        self._times_ms: tuple[list[float], list[float], list[float]] = ([], [], [])
        self._busy_share: float | None = None

    def begin(self) -> tuple[str, ...]:
        """The command line of pw-profiler, of which only the file that it writes is wanted."""
        self._rows = Rows()
        return ("sh", "-c", "exec pw-profiler -o /dev/fd/3 3>&1 >/dev/null")

    def feed(self, chunk: bytes, rate_hz: int) -> None:
        """Take rows."""
        for cycle in self._rows.feed(chunk):
            self.cycles += 1
            self._missed += cycle.missed
            self.quantum = round(cycle.period_us * rate_hz / MICROSECONDS_A_SECOND)
            self._busy_share = cycle.end_us / cycle.period_us
            times_us = (cycle.late_us, cycle.busy_us, cycle.end_us)
            for times_ms, time_us in zip(self._times_ms, times_us, strict=True):
                times_ms.append(time_us / 1000.0)

    def line(self) -> Line:
        """Counts, and the times of every cycle."""
        (late, busy, end), self._times_ms = self._times_ms, ([], [], [])
        return _line(self.cycles, self._missed, self._busy_share, late, busy, end)


class TopMeter:
    """Counts the errors of all drivers and followers, and reckons the cycles from the time.

    A cycle that several nodes missed is one: of a driver and its followers the one counts that
    missed most. Errors are counted from the first table on that shows the node at work: they may
    be those since the server started. One cycle a second is shown, of which there are no
    quantiles; pw-top goes on to show the last one where the server stands still.
    """

    def __init__(self) -> None:
        self.quantum, self.cycles = 0, 0.0
        self._missed = 0
        self._tables = Tables()
        self._seen: dict[int, Row] = {}
        self._busy_share: float | None = None
        self._at_s = time.monotonic()

    def begin(self) -> tuple[str, ...]:
        """The command line of pw-top, which would keep lines back from a pipe."""
        self._tables, self._seen, self._at_s = Tables(), {}, time.monotonic()
        return ("stdbuf", "-oL", "pw-top", "-b")

    def feed(self, chunk: bytes, rate_hz: int) -> None:
        """Take tables."""
        for table in self._tables.feed(chunk.decode(errors="replace")):
            now_s = time.monotonic()
            elapsed_s, self._at_s = now_s - self._at_s, now_s
            for group in _groups(table):
                self._count(group, elapsed_s, rate_hz)
            self._seen = {row.id: row for row in table if row.runs}

    def line(self) -> Line:
        """Counts alone."""
        return _line(self.cycles, self._missed, self._busy_share, [], [], [])

    def _count(self, group: list[Row], elapsed_s: float, rate_hz: int) -> None:
        driver = group[0]
        stands_still = all(self._seen.get(row.id) == row for row in group)
        if not driver.runs or not driver.quantum or stands_still:
            return
        cycles = elapsed_s * (driver.rate_hz or rate_hz) / driver.quantum
        new = max(row.errors - self._seen.get(row.id, row).errors for row in group)
        self.cycles += cycles
        self._missed += min(max(0, new), round(cycles))
        self.quantum = driver.quantum
        self._busy_share = sum(row.busy_share or 0.0 for row in group)


def meter_for(version: tuple[int, ...]) -> Meter:
    """The meter that works with this version of the tools."""
    return TopMeter() if version >= TOP_TELLS_FROM else ProfilerMeter()


def _line(
    cycles: float,
    missed: int,
    busy_share: float | None,
    late_ms: list[float],
    busy_ms: list[float],
    end_ms: list[float],
) -> Line:
    return {
        "cycles": round(cycles),
        "missed": missed,
        "busy_share": busy_share,
        "lateness_ms": late_ms,
        "service_ms": busy_ms,
        "latency_ms": end_ms,
    }


def _groups(table: list[Row]) -> list[list[Row]]:
    """Each driver with those that follow it, the driver with most of them last."""
    groups: list[list[Row]] = []
    for row in table:
        if row.drives or not groups:
            groups.append([])
        groups[-1].append(row)
    return sorted(groups, key=len)
