"""Which drivers of a PipeWire graph are at work under a deadline, and since when."""

from __future__ import annotations

from collections.abc import Collection

from controller.plants.audio_server.state import FREEWHEELS
from controller.plants.pipewire.drivers import Driver

NOTHING = "nothing plays"
UNMEASURED = "of what plays no cycle is known yet"
REST_NS = 500_000_000
"""Time that a driver is not at work, ns, before it has rested: a change of the quantum or of the
rate suspends all nodes for some milliseconds."""


class ActiveDrivers:
    """The drivers at work, and why none is.

    `began_ns` is since when each has been at work, by its id, and `changed_ns` when the graph
    last told of any change, both of the monotonic clock. `freewheels` is whether any driver plays
    as fast as it can.
    """

    def __init__(self) -> None:
        self._drivers: dict[int, Driver] = {}
        self._left_ns: dict[int, int] = {}
        self.freewheels = False
        self.began_ns: dict[int, int] = {}
        self.changed_ns = 0

    def note(self, drivers: Collection[Driver], now_ns: int) -> None:
        """Take note of the drivers at work now, after each change of the graph."""
        self.changed_ns = now_ns
        self.freewheels = any(each.freewheels for each in drivers)
        working = {each.id: each for each in drivers if not each.freewheels}
        for number in self._drivers.keys() - working.keys():
            self._left_ns.setdefault(number, now_ns)
        self.forget_rested(now_ns)
        for number in working:
            self._left_ns.pop(number, None)
            self.began_ns.setdefault(number, now_ns)
        self._drivers |= working

    def forget_rested(self, now_ns: int) -> None:
        """Forget drivers that have rested for a while; at once where a freewheel took over."""
        patience_ns = 0 if self.freewheels else REST_NS
        for number in [each for each, at in self._left_ns.items() if now_ns - at >= patience_ns]:
            del self._left_ns[number], self._drivers[number], self.began_ns[number]

    @property
    def drivers(self) -> tuple[Driver, ...]:
        """The drivers that are at work under a deadline."""
        return tuple(self._drivers.values())

    @property
    def no_deadline(self) -> str:
        """Why no deadline holds; empty where one does."""
        if self._drivers:
            return ""
        return FREEWHEELS if self.freewheels else NOTHING
