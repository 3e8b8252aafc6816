"""Sensors of processor time: of the machine, of audio threads, of a process.

Shares are over the interval since the last call, so the first reading of each is missing;
so is whatever this kernel does not account for, with the file and what it says instead.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.errors import KernelFileError
from controller.linux.kernel_files import count, read_count, read_text, said
from policies.observation import Invalid, Missing, Reading, Value

PROC = Path("/proc")
FREQUENCIES = Path("/sys/devices/system/cpu")
FIRST = Missing("first reading")
Monotonic = Callable[[], float]

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
UNREADABLE = (OSError, ValueError, ArithmeticError, IndexError, KeyError)
"""Errors of a kernel file: it is absent, its process has ended, or its form is another."""
TOLERANCE = 0.5
"""Excess of a share over 1 that passes: counters and the clock are never read at one instant."""
LONGEST_WAIT_S = 3600.0
"""Seconds beyond which no thread that could run waits."""
FASTEST_KHZ = 100_000_000
"""Frequency, kHz, that no processor reaches."""
PROCESSORS_MAX = 8192
"""Processors that a kernel can be built for, at most."""
PROCESSOR = re.compile(r"cpu[0-9]+")


class MachineSensor:
    """How busy, how crowded and how much robbed by the hypervisor all processors were."""

    def __init__(
        self,
        root: Path = PROC,
        now_s: Monotonic = time.monotonic,
        frequencies: Path = FREQUENCIES,
    ) -> None:
        self._stat = root / "stat"
        self._pressure_file = root / "pressure" / "cpu"
        self._now_s = now_s
        self._frequencies = frequencies
        self._times: _ProcessorTimes | None = None
        self._stalled: tuple[float, float] | None = None

    def read(self) -> dict[str, Reading]:
        """Shares of 0 to 1, named in `cpu.utilisation` and so on.

        `utilisation`, `steal_share`, `pressure_some_share` and `frequency_share`.

        Utilisation is of all processor time and leaves out idle and stolen time. Pressure is
        the share of wall time in which some thread that could run waited for a processor, and
        frequency that of the highest, the mean of all processors that tell it.
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
            now = _processor_times(self._stat)
        except KernelFileError as error:
            return (Missing(str(error)),) * 2
        before, self._times = self._times, now
        if before is None:
            return FIRST, FIRST
        total = now.total - before.total
        utilisation = _share(now.busy - before.busy, total, self._stat)
        if now.stolen is None or before.stolen is None:
            return utilisation, Missing(f"{self._stat}: tells no stolen time")
        return utilisation, _share(now.stolen - before.stolen, total, self._stat)

    def _pressure(self) -> Reading:
        try:
            stalled_s = _stalled_s(self._pressure_file)
        except KernelFileError as error:
            return Missing(str(error))
        before, self._stalled = self._stalled, (stalled_s, self._now_s())
        if before is None:
            return FIRST
        elapsed_s = self._stalled[1] - before[1]
        return _share(stalled_s - before[0], elapsed_s, self._pressure_file)

    def _frequency(self) -> Reading:
        """Processors come and go, and some of them may tell no frequency, or a highest of 0."""
        told, why = [], Missing(f"{self._frequencies}: this machine tells no frequencies")
        for folder in _frequency_folders(self._frequencies):
            try:
                told.append(_frequency_share(folder))
            except KernelFileError as error:
                why = Missing(str(error))
        return Value(sum(told) / len(told)) if told else why


@dataclass(frozen=True, slots=True)
class _ProcessorTimes:
    """Clock ticks since boot, all processors together; `stolen` None where it is not told."""

    total: int
    idle: int
    stolen: int | None

    @property
    def busy(self) -> int:
        return self.total - self.idle - (self.stolen or 0)


def _processor_times(stat: Path) -> _ProcessorTimes:
    """The first line of /proc/stat, of which an old kernel tells four figures and a new one ten."""
    line = read_text(stat).partition("\n")[0]
    name, *figures = line.split() or [""]
    try:
        # Guest time, the ninth figure and the tenth, is part of user time already.
        ticks = [count(each) for each in figures[:8]]
    except ValueError as error:
        raise KernelFileError(stat, said(line)) from error
    if name != "cpu" or len(ticks) < 4:
        raise KernelFileError(stat, said(line))
    return _ProcessorTimes(sum(ticks), sum(ticks[3:5]), ticks[7] if len(ticks) == 8 else None)


def _stalled_s(pressure: Path) -> float:
    """Seconds since boot in which some thread waited for a processor."""
    line = read_text(pressure).partition("\n")[0]
    found = re.search(r"^some .*\btotal=([0-9]+)$", line.strip())
    try:
        return count(found[1] if found else "") / 1e6
    except ValueError as error:
        raise KernelFileError(pressure, said(line)) from error


def _frequency_folders(root: Path) -> Iterator[Path]:
    try:
        names = sorted(each for each in os.listdir(root) if PROCESSOR.fullmatch(each))  # noqa: PTH208 - names alone
    except OSError:
        return
    for folder in (root / name / "cpufreq" for name in names):
        if os.path.isdir(folder):  # noqa: PTH112 - never raises
            yield folder


def _frequency_share(folder: Path) -> float:
    """The frequency of one processor, of its highest: a boost may be beyond what counts as such."""
    now, most = folder / "scaling_cur_freq", folder / "cpuinfo_max_freq"
    share = _khz(now) / _khz(most)
    if share > 1.0 + TOLERANCE:
        raise KernelFileError(now, f"{share:.3g} times the highest, which cannot be")
    return min(share, 1.0)


def _khz(path: Path) -> int:
    found = read_count(path)
    if not 0 < found < FASTEST_KHZ:
        raise KernelFileError(path, said(str(found)))
    return found


class ThreadSensor:
    """How much the audio threads ran, and how long they could have run and had to wait.

    An audio thread is the main thread of its process.
    """

    def __init__(self, root: Path = PROC, now_s: Monotonic = time.monotonic) -> None:
        self._root = root
        self._now_s = now_s
        self._counters: dict[tuple[int, int], tuple[int, int]] = {}
        """Counters by process and inode of its folder, which no later process shares."""
        self._read_at_s = 0.0

    def read(self, pids: Iterable[int]) -> dict[str, Reading]:
        """`audio.utilisation` and `audio.run_delay_share`: the highest of any thread.

        The one is the share of the interval that a thread ran, the other that it waited in a
        run queue, beyond 1 where a wait ends that began before. A thread that is new or has
        ended counts for nothing.
        """
        counters: dict[tuple[int, int], tuple[int, int]] = {}
        why: Reading = Missing("no audio process is running")
        for pid in pids:
            folder = self._root / str(pid)
            try:
                ran_and_waited_ns = _ran_and_waited_ns(folder / "schedstat")
                counters[pid, folder.stat().st_ino] = ran_and_waited_ns
            except KernelFileError as error:
                why = Missing(str(error))
            except FileNotFoundError:
                continue  # it has ended meanwhile
        return self._shares_since(counters, why)

    def _shares_since(
        self, counters: dict[tuple[int, int], tuple[int, int]], why: Reading
    ) -> dict[str, Reading]:
        now_s = self._now_s()
        elapsed_s, before = now_s - self._read_at_s, self._counters
        self._counters, self._read_at_s = counters, now_s
        common = counters.keys() & before.keys()
        if not common:
            missing = FIRST if counters else why
            return dict.fromkeys(("audio.utilisation", "audio.run_delay_share"), missing)
        pairs = [(before[each], counters[each]) for each in sorted(common)]
        ran_s = [(now[0] - then[0]) / 1e9 for then, now in pairs]
        waited_s = [(now[1] - then[1]) / 1e9 for then, now in pairs]
        file = self._root / "PID" / "schedstat"
        return {
            "audio.utilisation": _highest(_share(each, elapsed_s, file) for each in ran_s),
            "audio.run_delay_share": _highest(
                _delay_share(each, elapsed_s, file) for each in waited_s
            ),
        }


def _ran_and_waited_ns(schedstat: Path) -> tuple[int, int]:
    text = read_text(schedstat)
    try:
        ran, waited = map(count, text.split()[:2])
    except ValueError as error:
        raise KernelFileError(schedstat, said(text)) from error
    return ran, waited


def _delay_share(waited_s: float, elapsed_s: float, source: Path) -> Reading:
    """The share of the interval that a thread waited; a wait counts as a whole once it is over."""
    if elapsed_s > 0.0 and 0.0 <= waited_s <= LONGEST_WAIT_S:
        return Value(waited_s / elapsed_s)
    return _share(waited_s, elapsed_s, source)


def _highest(readings: Iterable[Reading]) -> Reading:
    """The highest of those that can be true; where none can, why not."""
    found = list(readings)
    return max(
        (each for each in found if isinstance(each, Value)),
        key=lambda each: each.value,
        default=found[0],
    )


class ProcessSensor:
    """The cost of one process: control must stay cheap, and shows that it is."""

    def __init__(self, pid: int, root: Path = PROC) -> None:
        self._stat = root / str(pid) / "stat"
        self._status = root / str(pid) / "status"

    def read(self) -> dict[str, Reading]:
        """`process.cpu_s` since it started, `process.rss_mib`, `process.peak_rss_mib`."""
        return {"process.cpu_s": self._cpu_s(), **self._memory()}

    def _cpu_s(self) -> Reading:
        try:
            text = read_text(self._stat)
            # The name stands in brackets and may itself hold spaces and brackets.
            user, system = text.rpartition(")")[2].split()[11:13]
            used_s = (count(user) + count(system)) / CLOCK_TICKS_PER_S
        except KernelFileError as error:
            return Missing(str(error))
        except ValueError:
            return Missing(f"{self._stat}: {said(text)}")
        most_s = time.clock_gettime(time.CLOCK_BOOTTIME) * PROCESSORS_MAX
        return Value(used_s) if used_s <= most_s else Invalid(f"{self._stat}: {said(text)}")

    def _memory(self) -> dict[str, Reading]:
        keys = {"process.rss_mib": "VmRSS", "process.peak_rss_mib": "VmHWM"}
        try:
            status = read_text(self._status)
        except KernelFileError as error:
            return dict.fromkeys(keys, Missing(str(error)))
        return {name: self._mib(key, status) for name, key in keys.items()}

    def _mib(self, key: str, status: str) -> Reading:
        line = re.search(rf"^{key}:\s*(.*)$", status, re.MULTILINE)
        if line is None:
            return Missing(f"{self._status}: tells no {key}")
        found = re.fullmatch(r"([0-9]{1,12}) kB", line[1].strip())
        if found is None:
            return Missing(f"{self._status}: {key} {said(line[1])}")
        return Value(int(found[1]) / 1024)


def _share(part: float, whole: float, source: Path) -> Reading:
    """A share of 0 to 1; where it is a little above, by the time that reading took, 1."""
    if whole == 0:
        return Missing("no time has passed since the last reading")
    if part < 0 or whole < 0:
        return Invalid(f"{source}: its counters went back")
    share = part / whole
    if share > 1.0 + TOLERANCE:
        return Invalid(f"{source}: a share of {share:.3g}, which cannot be")
    return Value(min(share, 1.0))
