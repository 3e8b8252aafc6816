"""A meter with its tool, which is kept running."""

from __future__ import annotations

from controller.plants.pipewire.active_drivers import ActiveDrivers
from controller.plants.pipewire.command_line import TOP_TELLS_FROM
from controller.plants.pipewire.meters.meter import Meter
from controller.plants.pipewire.meters.profiler_meter import ProfilerMeter
from controller.plants.pipewire.meters.top_meter import TopMeter
from controller.plants.pipewire.running_tool import Tool

ENDED = "the tool that counts cycles has ended, and is started again now and then"


def meter_for(version: tuple[int, ...]) -> Meter:
    """The meter that works with this version of the tools."""
    return TopMeter() if version >= TOP_TELLS_FROM else ProfilerMeter()


class SupervisedMeter:
    """Runs the tool of a meter, feeds the meter with its output, and starts it again."""

    def __init__(self, meter: Meter, active: ActiveDrivers, now_ns: int) -> None:
        self.meter = meter
        self._active = active
        self._tool = Tool(meter.begin(now_ns))
        self._seen, self._seen_ns = 0, now_ns
        self._told_of_end = False

    @property
    def pid(self) -> int:
        """The tool's process."""
        return self._tool.pid

    @property
    def urgent(self) -> tuple[int, ...]:
        """The descriptors to be read as soon as they can be.

        A tool that tells of each cycle has none: to wake for each would cost more than all that
        is made of them.
        """
        return (self._tool.descriptor,) if self.meter.at_once and not self._tool.ended else ()

    def read(self, now_ns: int) -> None:
        """Take what the tool has written."""
        self.meter.feed(self._tool.read(), self._active, now_ns)

    def supervise(self, now_ns: int) -> str | None:
        """Take what is left, and start the tool again where need be; the event, if any."""
        if self._tool.has_told():
            self.read(now_ns)
        self.meter.pause(self._active, now_ns)
        if self.meter.seen != self._seen or self._active.no_deadline:
            self._told_of_end &= self.meter.seen == self._seen
            self._seen, self._seen_ns = self.meter.seen, now_ns
        if now_ns - self._seen_ns > self.meter.patience_ns or self._is_lost():
            return self._start_again(now_ns)
        return None

    def _is_lost(self) -> bool:
        """Whether all that the tool listens to have left their work to others."""
        left = self._active.began_ns.keys().isdisjoint(self.meter.only)
        return left and bool(self.meter.only and self._active.drivers)

    def close(self) -> None:
        """End the tool."""
        self._tool.close()

    def _start_again(self, now_ns: int) -> str | None:
        is_news = self._tool.ended and not self._told_of_end
        self._told_of_end |= is_news
        self._tool.close()
        self._tool = Tool(self.meter.begin(now_ns))
        self._seen_ns = now_ns
        return ENDED if is_news else None
