"""Counts cycles by the rows of pw-profiler: each cycle of the driver that it saw first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from controller.monitors.monitor import Line
from controller.plants.pipewire.active_drivers import ActiveDrivers
from controller.plants.pipewire.meters.meter import SETTLES_NS, Period, counts
from controller.plants.pipewire.meters.pw_profiler import Cycle, Rows

ROUNDING_US = 1.0
"""Error of a period as it is told, µs: the rest is cut off."""
AHEAD_S, BEHIND_S = 0.5, 4.0
"""Seconds of play that rows may be ahead of the clock, and behind it while the tool waits. What is
further ahead was played in a freewheel, and is told only after that has ended."""


class ProfilerMeter:
    """Counts every cycle of one driver, which those nodes tell that had a part in it."""

    at_once = False
    patience_ns = 1_200_000_000

    def __init__(self) -> None:
        self.cycles, self.missed, self.seen, self.told_ns = 0.0, 0, 0, 0
        self.periods: dict[int, Period] = {}
        self._rows = Rows()
        self._times_ms: tuple[list[float], list[float], list[float]] = ([], [], [])
        self._busy_share: float | None = None
        self._began_ns = 0
        self._ahead_s = 0.0

    @property
    def only(self) -> Collection[int]:
        """The driver that it saw first, once its cycles have told which that is."""
        return self.periods.keys()

    def begin(self, now_ns: int) -> tuple[str, ...]:
        """The command line of pw-profiler, of which only the file that it writes is wanted."""
        self._rows, self.told_ns, self.periods = Rows(), now_ns, {}
        return ("sh", "-c", "exec pw-profiler -o /dev/fd/3 3>&1 >/dev/null")

    def feed(self, chunk: bytes, active: ActiveDrivers, now_ns: int) -> None:
        """Take rows."""
        elapsed_s, self.told_ns = (now_ns - self.told_ns) / 1e9, now_ns
        self._ahead_s = max(-BEHIND_S, self._ahead_s - elapsed_s)
        followed = {each.id: driver for driver in active.drivers for each in driver.followers}
        for cycle in self._rows.feed(chunk):
            driver = followed.get(cycle.follower)
            if driver is not None:  # else it freewheels, or is not at work any more
                self.seen += 1
                self.periods = {driver.id: _period(cycle.period_us, driver.rates_hz)}
                if self._is_due(active.began_ns[driver.id], now_ns, self.periods[driver.id]):
                    self._count(cycle)

    def pause(self, active: ActiveDrivers, now_ns: int) -> None:
        """Do nothing: a row is complete with its line."""

    def line(self) -> Line:
        """Counts, and the times of every cycle."""
        (late, busy, end), self._times_ms = self._times_ms, ([], [], [])
        return counts(self, self._busy_share, late, busy, end)

    def _is_due(self, began_ns: int, now_ns: int, period: Period) -> bool:
        """Whether a cycle counts of a driver that began then, and as many as the clock allows."""
        if began_ns != self._began_ns:
            self._began_ns, self._ahead_s = began_ns, 0.0
        if now_ns < began_ns + SETTLES_NS or self._ahead_s > AHEAD_S:
            return False
        self._ahead_s += period.seconds
        return True

    def _count(self, cycle: Cycle) -> None:
        self.cycles += 1
        self.missed += cycle.missed
        self._busy_share = cycle.end_us / cycle.period_us
        times_us = (cycle.late_us, cycle.busy_us, cycle.end_us)
        for times_ms, time_us in zip(self._times_ms, times_us, strict=True):
            times_ms.append(time_us / 1000.0)


def _period(period_us: float, rates_hz: Sequence[int]) -> Period:
    """The period in frames, at the first of these rates at which they are whole.

    The rate is not told, nor does the graph tell it where another is forced than a node has.
    """
    meant = [Period(round(period_us * each / 1e6), each) for each in rates_hz]
    whole = (each for each in meant if abs(1e6 * each.seconds - period_us) < ROUNDING_US)
    return next(whole, meant[0])
