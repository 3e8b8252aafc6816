"""What the kernel tells about processor time: of the machine, of audio threads, of a process.

Shares are over the interval since the last call, so the first reading of each is missing;
so is whatever this kernel does not account for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from policies.observation import Missing, Reading, Value, reading

PROC = Path("/proc")
FREQUENCIES = Path("/sys/devices/system/cpu")
FIRST = Missing("first reading")
Monotonic = Callable[[], float]

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
UNREADABLE = (OSError, ValueError, IndexError, KeyError)
"""How a kernel file fails: it is absent, its process has ended, or its form is another."""


class MachineSensor:
    """How busy, how crowded and how much robbed by the hypervisor all processors were."""

    def __init__(self, root: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._stat = root / "stat"
        self._pressure_file = root / "pressure" / "cpu"
        self._now_s = now_s
        self._frequencies = [
            (each / "scaling_cur_freq", each / "cpuinfo_max_freq")
            for each in sorted(FREQUENCIES.glob("cpu[0-9]*/cpufreq"))
        ]
        self._times: _ProcessorTimes | None = None
        self._stalled: tuple[float, float] | None = None

    def read(self) -> dict[str, Reading]:
        """Shares of 0 to 1, named in `cpu.utilisation` and so on.

        `utilisation`, `steal_share`, `pressure_some_share` and `frequency_share`.

        Utilisation is of all processor time and leaves out idle and stolen time. Pressure is
        the share of wall time in which some thread that could run waited for a processor, and
        frequency that of the highest, the mean of all processors.
        """
        utilisation, steal_share = self._machine()
        return {
            "cpu.utilisation": utilisation,
            "cpu.steal_share": steal_share,
            "cpu.pressure_some_share": self._pressure(),
            "cpu.frequency_share": self._frequency(),
        }

    def _machine(self) -> tuple[Reading, Reading]:
        try:
            # Guest time, the ninth figure and the tenth, is part of user time already.
            ticks = [int(each) for each in _lines(self._stat)[0].split()[1:9]]
            now = _ProcessorTimes(sum(ticks), idle=ticks[3] + ticks[4], stolen=ticks[7])
        except UNREADABLE as error:
            return (_unreadable(self._stat, error),) * 2
        before, self._times = self._times, now
        if before is None:
            return FIRST, FIRST
        total = now.total - before.total
        return _share(now.busy - before.busy, total), _share(now.stolen - before.stolen, total)

    def _pressure(self) -> Reading:
        try:
            stalled_s = int(_lines(self._pressure_file)[0].rpartition("total=")[2]) / 1e6
        except UNREADABLE as error:
            return _unreadable(self._pressure_file, error)
        before, self._stalled = self._stalled, (stalled_s, self._now_s())
        if before is None:
            return FIRST
        return _share(stalled_s - before[0], self._stalled[1] - before[1])

    def _frequency(self) -> Reading:
        try:
            shares = [_number(now) / _number(most) for now, most in self._frequencies]
        except UNREADABLE as error:
            return _unreadable(FREQUENCIES, error)
        if not shares:
            return Missing(f"{FREQUENCIES}: this machine tells no frequencies")
        return reading(sum(shares) / len(shares), minimum=0.0)


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
    """How much the audio threads ran, and how long they could have run and had to wait.

    An audio thread is the main thread of its process.
    """

    def __init__(self, root: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._root = root
        self._now_s = now_s
        self._counters: dict[int, tuple[int, int]] = {}
        self._read_at_s = 0.0

    def read(self, pids: Iterable[int]) -> dict[str, Reading]:
        """`audio.utilisation` and `audio.run_delay_share`: the highest of any thread.

        The one is the share of the interval that a thread ran, the other that it waited in a
        run queue. A thread that is new or has ended counts for nothing.
        """
        counters: dict[int, tuple[int, int]] = {}
        why: Reading = Missing("no audio process is running")
        for pid in pids:
            path = self._root / str(pid) / "schedstat"
            try:
                ran, waited = _lines(path)[0].split()[:2]
                counters[pid] = int(ran), int(waited)
            except UNREADABLE as error:
                why = _unreadable(path, error)
        return self._shares_since(counters, why)

    def _shares_since(
        self, counters: dict[int, tuple[int, int]], why: Reading
    ) -> dict[str, Reading]:
        now_s = self._now_s()
        elapsed_ns = (now_s - self._read_at_s) * 1e9
        before, self._counters, self._read_at_s = self._counters, counters, now_s
        common = counters.keys() & before.keys()
        readings: dict[str, Reading] = {}
        for index, name in enumerate(("audio.utilisation", "audio.run_delay_share")):
            if common:
                most = max(counters[pid][index] - before[pid][index] for pid in common)
                readings[name] = _share(most, elapsed_ns)
            else:
                readings[name] = FIRST if counters else why
        return readings


class ProcessSensor:
    """What one process costs: control must stay cheap, and shows that it is."""

    def __init__(self, pid: int, root: Path = PROC) -> None:
        self._stat = root / str(pid) / "stat"
        self._status = root / str(pid) / "status"

    def read(self) -> dict[str, Reading]:
        """`process.cpu_s` since it started, `process.rss_mib`, `process.peak_rss_mib`."""
        return {"process.cpu_s": self._cpu_s(), **self._memory()}

    def _cpu_s(self) -> Reading:
        try:
            # The name stands in brackets and may itself hold spaces and brackets.
            user, system = _lines(self._stat)[0].rpartition(")")[2].split()[11:13]
            return Value((int(user) + int(system)) / CLOCK_TICKS_PER_S)
        except UNREADABLE as error:
            return _unreadable(self._stat, error)

    def _memory(self) -> dict[str, Reading]:
        keys = {"process.rss_mib": "VmRSS", "process.peak_rss_mib": "VmHWM"}
        try:
            fields = dict(line.split(":", 1) for line in _lines(self._status) if ":" in line)
            return {name: Value(int(fields[key].split()[0]) / 1024) for name, key in keys.items()}
        except UNREADABLE as error:
            return dict.fromkeys(keys, _unreadable(self._status, error))


def _number(path: Path) -> int:
    return int(path.read_text("ascii"))


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines()


def _share(part: float, whole: float) -> Reading:
    if whole <= 0:
        return Missing("no time has passed since the last reading")
    return reading(part / whole, minimum=0.0)


def _unreadable(path: Path, error: Exception) -> Missing:
    why = error.strerror if isinstance(error, OSError) else "not in the expected form"
    return Missing(f"{path}: {why}")
