"""Counts cycles by the tables of pw-top, one a second: the errors of each node so far."""

from __future__ import annotations

from collections.abc import Sequence

from controller.monitors.monitor import Line
from controller.plants.pipewire.active_drivers import ActiveDrivers
from controller.plants.pipewire.meters.meter import SETTLES_NS, Period, counts
from controller.plants.pipewire.meters.pw_top import Row, Table, Tables


class TopMeter:
    """Counts the errors of all drivers and followers, and reckons the cycles from the time.

    A cycle that several nodes missed is one: of a driver and its followers the one counts that
    missed most. Errors are counted from the first table on that shows the driver at work for a
    while: they may be those since the server started. One cycle a second is shown, of which there
    are no quantiles; pw-top goes on to show the last one where the server stands still.
    """

    at_once = True
    patience_ns = 3_000_000_000

    def __init__(self) -> None:
        self.cycles, self.missed, self.seen, self.told_ns = 0.0, 0, 0, 0
        self.periods: dict[int, Period] = {}
        self._tables = Tables()
        self._shown: dict[int, Row] = {}
        self._shown_ns: dict[int, int] = {}
        self._busy_share: float | None = None

    @property
    def only(self) -> tuple[int, ...]:
        """None: all drivers are shown."""
        return ()

    def begin(self, now_ns: int) -> tuple[str, ...]:
        """The command line of pw-top, which would keep lines back from a pipe."""
        self._tables, self.told_ns = Tables(), now_ns
        self._shown, self._shown_ns = {}, {}
        return ("stdbuf", "-oL", "pw-top", "-b")

    def feed(self, chunk: bytes, active: ActiveDrivers, now_ns: int) -> None:
        """Take tables."""
        for table in self._tables.feed(chunk, now_ns):
            self._take(table, active)

    def pause(self, active: ActiveDrivers, now_ns: int) -> None:
        """Take the last table, as soon as it seems complete."""
        table = self._tables.pause(now_ns)
        if table is not None:
            self._take(table, active)

    def line(self) -> Line:
        """The counts, without times."""
        return counts(self, self._busy_share, [], [], [])

    def _take(self, table: Table, active: ActiveDrivers) -> None:
        groups = [each for each in _groups(table.rows) if self._is_timed(each[0], active)]
        moving = [each for each in groups if not self._stands_still(each)]
        shares = [sum(row.busy_share or 0.0 for row in group) for group in moving]
        self._busy_share = max(shares, default=self._busy_share)
        for group in moving:
            self._count(group, table.printed_ns, active)
        self.periods = {driver.id: Period(driver.quantum, driver.rate_hz) for driver, *_ in groups}
        self._shown_ns = {driver.id: table.printed_ns for driver, *_ in groups}
        self._shown = {row.id: row for row in table.rows if row.runs}
        self.told_ns = table.printed_ns

    @staticmethod
    def _is_timed(driver: Row, active: ActiveDrivers) -> bool:
        """Whether cycles of the driver are due: none where it freewheels or has rested since."""
        measured = driver.quantum > 0 and driver.rate_hz > 0
        return driver.runs and measured and driver.id in active.began_ns

    def _stands_still(self, group: Sequence[Row]) -> bool:
        return all(self._shown.get(row.id) == row for row in group)

    def _count(self, group: Sequence[Row], now_ns: int, active: ActiveDrivers) -> None:
        driver = group[0]
        self.seen += 1
        before_ns = self._shown_ns.get(driver.id, 0)
        if before_ns < active.began_ns[driver.id] + SETTLES_NS:
            return
        cycles = self._cycles(driver, before_ns, now_ns, active.changed_ns)
        new = max(row.errors - self._shown.get(row.id, row).errors for row in group)
        self.cycles += cycles
        self.missed += min(max(0, new), round(cycles))

    def _cycles(self, driver: Row, before_ns: int, now_ns: int, changed_ns: int) -> float:
        """How many cycles began since the last table.

        Where they became shorter or longer meanwhile, that came with the last change of the graph.
        """
        now = Period(driver.quantum, driver.rate_hz)
        before = self.periods.get(driver.id, now)
        at_ns = min(max(changed_ns, before_ns), now_ns)
        return (at_ns - before_ns) / 1e9 / before.seconds + (now_ns - at_ns) / 1e9 / now.seconds


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Each driver with those that follow it."""
    groups: list[list[Row]] = []
    for row in rows:
        if row.drives or not groups:
            groups.append([])
        groups[-1].append(row)
    return groups
