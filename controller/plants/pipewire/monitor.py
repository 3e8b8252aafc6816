"""Listens to PipeWire's own tools, in a process of its own, and reports the server.

`python -m controller.plants.pipewire.monitor` prints one JSON object a line, several a second, and
takes orders (`period 128`) on its input. The tools may hang with their server; here they keep
nobody waiting.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator

from controller.linux.process_id import ProcessId
from controller.monitors.monitor import Line, orders, report
from controller.plants.pipewire.active_drivers import UNMEASURED, ActiveDrivers
from controller.plants.pipewire.command_line import REMEDY, missing_tool, socket_path, version
from controller.plants.pipewire.drivers import Driver, drivers_at_work, expected_frames
from controller.plants.pipewire.listeners import listening
from controller.plants.pipewire.members import Members
from controller.plants.pipewire.meters.meter import LAG_NS, Period
from controller.plants.pipewire.meters.supervised_meter import SupervisedMeter, meter_for
from controller.plants.pipewire.pw_dump import Client, Graph
from controller.plants.pipewire.quantum import force, restore
from controller.plants.pipewire.running_tool import Tool

LINE_EVERY_S = 0.1
PATIENCE_S = 4.0
"""Time, s, in which a server must tell of itself and, where it plays, of a cycle: pw-top tells of
them once a second."""
UNMEASURED_NS = 3_000_000_000
"""Time, ns, that a driver may be at work before its cycles are known."""
NO_SERVER = ("no server answers", "start one, or name its folder in XDG_RUNTIME_DIR")
UNSEEN = "the server's process cannot be seen from here, so its audio threads are not known"


class Monitor:
    """Listens to pw-dump and to what counts cycles, and has pw-metadata force the quantum."""

    def __init__(self) -> None:
        now_ns = time.monotonic_ns()
        self._graph, self._active = Graph(), ActiveDrivers()
        self._dump = Tool(("pw-dump", "--monitor"))
        self._supervised = SupervisedMeter(meter_for(version()), self._active, now_ns)
        self._members = Members(lambda: listening("pipewire", socket_path(self._graph.server[0])))
        self._players: set[Client] = set()
        self._joined = 0
        self._shown: Period | None = None
        self._played_before = 0

    @property
    def ended(self) -> bool:
        """Whether the server has ended."""
        return self._dump.ended

    def await_server(self) -> bool:
        """Whether a server tells of itself, and of a cycle of each driver that is at work."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and not self.ended:
            self.obey()
            unmeasured = len(self._active.drivers) - len(self._measured(time.monotonic_ns()))
            if self._graph.is_known and not unmeasured:
                break
        return self._graph.is_known and not self.ended

    def find_server(self) -> bool:
        """Whether the server's process can be seen."""
        self._members.find_server(self._dump.pid, self._graph.server_pid)
        return self._members.server is not None

    def obey(self) -> list[str]:
        """Listen, and carry out orders, until a line is due; the events meanwhile."""
        told = [] if self._dump.ended else [self._dump.descriptor]
        events = []
        for order in orders(LINE_EVERY_S, (*told, *self._supervised.urgent), self._read):
            why = self._force(int(order[1]))
            if why is not None:
                events.append(f"the server refused to force a quantum of {order[1]}: {why}")
        event = self._supervised.supervise(time.monotonic_ns())
        return events if event is None else [*events, event]

    def line(self) -> Line:
        """The state of the server now."""
        now_ns, graph = time.monotonic_ns(), self._graph
        self._active.forget_rested(now_ns)
        at_work = self._measured(now_ns)
        clients = self._members.clients(self._players, now_ns)
        self._shown = min(at_work.values(), key=lambda each: each.seconds, default=self._shown)
        shown = self._shown or self._resting()
        name, cookie = graph.server
        return {
            **self._supervised.meter.line(),
            "time_ns": now_ns,
            "counted_until_ns": self._counted_until_ns(at_work, now_ns),
            "period_frames": shown.frames,
            "sample_rate_hz": shown.rate_hz,
            "longest_frames": graph.setting("clock.max-quantum"),
            "forced_frames": graph.setting("clock.force-quantum"),
            "locked_by": graph.locked_by,
            "rests": self._active.no_deadline or ("" if at_work else UNMEASURED),
            "exports": self._active.freewheels,
            "drivers": [_described(*each, clients) for each in at_work.items()],
            "clients": sorted(map(_written, set(clients.values()))),
            "joined": self._joined,
            "name": name,
            "cookie": cookie,
            "server": _written(self._members.server),
            "helpers": (self._dump.pid, self._supervised.pid),
        }

    def close(self) -> None:
        """End the tools."""
        self._dump.close()
        self._supervised.close()

    def _read(self, descriptor: int) -> None:
        """Take the output of a tool as soon as there is some, and note when."""
        now_ns = time.monotonic_ns()
        if descriptor != self._dump.descriptor:
            self._supervised.read(now_ns)
        elif self._graph.feed(self._dump.read()):
            self._active.note(drivers_at_work(self._graph), now_ns)
            players = set(self._graph.clients.values())
            self._joined += len(players - self._players)
            self._players = players

    def _force(self, wanted: int) -> str | None:
        forced = self._graph.setting("clock.force-quantum")
        if wanted and not forced and self._shown is not None:
            self._played_before = self._shown.frames
        return force(self._graph, wanted, self._played_before)

    def _measured(self, now_ns: int) -> dict[Driver, Period]:
        """The drivers at work and their periods, without those of which none is known yet."""
        periods = {each: self._period(each, now_ns) for each in self._active.drivers}
        return {driver: period for driver, period in periods.items() if period is not None}

    def _period(self, driver: Driver, now_ns: int) -> Period | None:
        """The period as measured; as expected where only others are, or none was for too long."""
        measured = self._supervised.meter.periods
        waited_ns = now_ns - self._active.began_ns[driver.id]
        if driver.id in measured:
            return measured[driver.id]
        if (measured and not self._supervised.meter.at_once) or waited_ns > UNMEASURED_NS:
            return Period(expected_frames(self._graph, driver), driver.rates_hz[0])
        return None

    def _resting(self) -> Period:
        """The period of a server that has not played yet, as it says; it may play another."""
        setting = self._graph.setting
        frames = setting("clock.force-quantum") or setting("clock.quantum")
        return Period(frames, setting("clock.rate"))

    def _counted_until_ns(self, at_work: dict[Driver, Period], now_ns: int) -> int:
        began_ns = (self._active.began_ns[each.id] for each in at_work)
        return max(self._supervised.meter.told_ns - LAG_NS, min(began_ns, default=now_ns))


def main() -> None:
    """Report until the server or the controller ends; the last line says why nothing could be.

    With arguments, restore what the quantum was forced to as they say, and end.
    """
    if len(sys.argv) > 1:
        sys.exit(restore(sys.argv[1:]))
    report(_lines())


def _lines() -> Generator[Line, None, None]:
    missing = missing_tool()
    if missing is not None:
        yield {"error": [f"{missing} is not installed", REMEDY]}
        return
    with contextlib.closing(Monitor()) as monitor:
        if not monitor.await_server():
            yield {"error": NO_SERVER}
            return
        if not monitor.find_server():
            yield {"refused": UNSEEN}
        while not monitor.ended:
            yield monitor.line()
            for event in monitor.obey():
                yield {"refused": event}
        yield {"error": ["the server has ended", "start it again"]}


def _described(driver: Driver, period: Period, clients: dict[int, ProcessId]) -> Line:
    """A driver for the line, with the processes of those that follow it."""
    of_clients = {clients[each.client] for each in driver.followers if each.client in clients}
    return {
        "id": driver.id,
        "name": driver.name,
        "period_frames": period.frames,
        "sample_rate_hz": period.rate_hz,
        "processes": sorted(map(_written, of_clients)),
    }


def _written(process: ProcessId | None) -> str:
    return "" if process is None else f"{process.pid}:{process.start_time}"


if __name__ == "__main__":
    main()
