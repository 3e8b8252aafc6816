"""What the kernel tells about processor time: of the machine, of threads, of ourselves.

Each sensor reports shares over the interval since its last call, so its first reading is
missing; so is whatever this kernel does not account for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.observation import Missing, Reading, Value, reading

PROC = Path("/proc")
FIRST = Missing("first reading")
Monotonic = Callable[[], float]


class MachineSensor:
    """How busy, how crowded and how much robbed by the hypervisor all processors were."""

    def __init__(self, proc: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._proc = proc
        self._now_s = now_s
        self._times: _ProcessorTimes | None = None
        self._stalled: tuple[float, float] | None = None

    def read(self) -> Mapping[str, Reading]:
        """`cpu.utilisation` and `cpu.steal_share` of all processor time; `cpu.pressure_share`.

        Utilisation leaves out idle and stolen time. Pressure is the share of wall time in
        which some thread that could run had to wait for a processor (PSI `some`).
        """
        utilisation, steal_share = self._machine()
        return {
            "cpu.utilisation": utilisation,
            "cpu.steal_share": steal_share,
            "cpu.pressure_share": self._pressure(),
        }

    def _machine(self) -> tuple[Reading, Reading]:
        path = self._proc / "stat"
        try:
            ticks = [int(each) for each in path.read_text("ascii").splitlines()[0].split()[1:9]]
        except (OSError, ValueError, IndexError) as error:
            return (_unreadable(path, error),) * 2
        now = _ProcessorTimes(sum(ticks), idle=ticks[3] + ticks[4], stolen=ticks[7])
        before, self._times = self._times, now
        if before is None:
            return FIRST, FIRST
        busy = now.busy - before.busy
        total = now.total - before.total
        return _share(busy, total), _share(now.stolen - before.stolen, total)

    def _pressure(self) -> Reading:
        path = self._proc / "pressure" / "cpu"
        try:
            stalled_s = int(path.read_text("ascii").splitlines()[0].rpartition("=")[2]) / 1e6
        except (OSError, ValueError, IndexError) as error:
            return _unreadable(path, error)
        before, self._stalled = self._stalled, (stalled_s, self._now_s())
        if before is None:
            return FIRST
        return _share(stalled_s - before[0], self._stalled[1] - before[1])


@dataclass(frozen=True, slots=True)
class _ProcessorTimes:
    """Clock ticks since boot, all processors together."""

    total: int
    idle: int
    stolen: int

    @property
    def busy(self) -> int:
        return self.total - self.idle - self.stolen


class ThreadSensor:
    """How much the threads of a component ran, and how long they could have and did not."""

    def __init__(self, proc: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._proc = proc
        self._now_s = now_s
        self._counters: dict[str, dict[str, tuple[int, int]]] = {}
        self._read_at_s: dict[str, float] = {}

    def read(self, pids: Iterable[int], component: str = "audio") -> Mapping[str, Reading]:
        """`COMPONENT.cpu_share` and `COMPONENT.run_delay_share` of the worst-off thread.

        The one is the share of the interval in which the busiest thread ran, the other that
        in which the most delayed thread waited in a run queue: pre-emption, when it is high
        while the utilisation by the component itself is not.
        """
        counters = self._count(pids)
        now_s = self._now_s()
        before = self._counters.get(component)
        elapsed_s = now_s - self._read_at_s.get(component, now_s)
        self._counters[component], self._read_at_s[component] = counters, now_s
        ran, waited = _most(before, counters)
        return {
            f"{component}.cpu_share": _of_interval(ran, elapsed_s),
            f"{component}.run_delay_share": _of_interval(waited, elapsed_s),
        }

    def _count(self, pids: Iterable[int]) -> dict[str, tuple[int, int]]:
        """Nanoseconds that each thread ran and waited, by its path."""
        counters = {}
        for pid in pids:
            for path in (self._proc / str(pid) / "task").glob("*/schedstat"):
                try:
                    ran, waited, _ = path.read_text("ascii").split()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it ended since it was listed
                counters[str(path)] = int(ran), int(waited)
        return counters


def _most(
    before: Mapping[str, tuple[int, int]] | None, now: Mapping[str, tuple[int, int]]
) -> tuple[int | Missing, int | Missing]:
    if before is None:
        return FIRST, FIRST
    grown = [
        (now[each][0] - before[each][0], now[each][1] - before[each][1])
        for each in now.keys() & before.keys()
    ]
    if not grown:
        missing = Missing("no thread has schedstat figures" if not now else FIRST.reason)
        return missing, missing
    return max(ran for ran, _ in grown), max(waited for _, waited in grown)


def _of_interval(nanoseconds: int | Missing, elapsed_s: float) -> Reading:
    if isinstance(nanoseconds, Missing):
        return nanoseconds
    return _share(nanoseconds / 1e9, elapsed_s)


class ProcessSensor:
    """What processes of our own cost: control must stay cheap, and shows that it is."""

    def __init__(self, proc: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._proc = proc
        self._now_s = now_s
        self._before: tuple[dict[int, int], float] | None = None

    def read(self, pids: Iterable[int]) -> Mapping[str, Reading]:
        """`control.cpu_share` of one processor and `control.rss_bytes`, all `pids` together."""
        pids = tuple(pids)
        ticks = {pid: used for pid in pids if (used := self._ticks(pid)) is not None}
        now_s = self._now_s()
        before, self._before = self._before, (ticks, now_s)
        return {
            "control.cpu_share": _cpu_share(before, ticks, now_s),
            "control.rss_bytes": self._resident(pids),
        }

    def _ticks(self, pid: int) -> int | None:
        try:
            stat = (self._proc / str(pid) / "stat").read_text("utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        user, system = stat.rpartition(")")[2].split()[11:13]
        return int(user) + int(system)

    def _resident(self, pids: Iterable[int]) -> Reading:
        pages = []
        for pid in pids:
            try:
                statm = (self._proc / str(pid) / "statm").read_text("ascii")
            except (FileNotFoundError, ProcessLookupError):
                continue
            pages.append(int(statm.split()[1]))
        if not pages:
            return Missing("the process has ended")
        return Value(float(sum(pages) * os.sysconf("SC_PAGE_SIZE")))


def _cpu_share(
    before: tuple[dict[int, int], float] | None, ticks: dict[int, int], now_s: float
) -> Reading:
    if before is None:
        return FIRST
    earlier, earlier_s = before
    used = sum(ticks[pid] - earlier.get(pid, 0) for pid in ticks)
    return _share(used / os.sysconf("SC_CLK_TCK"), now_s - earlier_s)


def _share(part: float, whole: float) -> Reading:
    if whole <= 0:
        return Missing("no time has passed since the last reading")
    return reading(part / whole, minimum=0.0)


def _unreadable(path: Path, error: Exception) -> Missing:
    why = error.strerror if isinstance(error, OSError) else "not in the expected form"
    return Missing(f"{path}: {why}")
