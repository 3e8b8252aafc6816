"""The tool that counts cycles, kept running, and what comes of what it tells."""

from __future__ import annotations

from controller.plants.pipewire.drivers import Motion
from controller.plants.pipewire.meter import TOP_TELLS_FROM, Meter
from controller.plants.pipewire.profiler_meter import ProfilerMeter
from controller.plants.pipewire.tool import Tool
from controller.plants.pipewire.top_meter import TopMeter

ENDED = "the tool that counts cycles has ended, and is started again now and then"


def meter_for(version: tuple[int, ...]) -> Meter:
    """The meter that works with this version of the tools."""
    return TopMeter() if version >= TOP_TELLS_FROM else ProfilerMeter()


class Counting:
    """Feeds a meter with what its tool tells."""

    def __init__(self, meter: Meter, motion: Motion, now_ns: int) -> None:
        self.meter = meter
        self._motion = motion
        self._tool = Tool(meter.begin(now_ns))
        self._seen, self._seen_ns = 0, now_ns
        self._told_of_end = False

    @property
    def pid(self) -> int:
        """The tool's process."""
        return self._tool.pid

    @property
    def urgent(self) -> tuple[int, ...]:
        """What is to be read as soon as it can be.

        Not so what tells of each cycle: to wake for each would cost more than all that is made
        of them.
        """
        return (self._tool.descriptor,) if self.meter.at_once and not self._tool.ended else ()

    def read(self, now_ns: int) -> None:
        """Take what the tool has written."""
        self.meter.feed(self._tool.read(), self._motion, now_ns)

    def tend(self, now_ns: int) -> str | None:
        """Take what is left, and start the tool again where need be; what is to be told of it."""
        if self._tool.has_told():
            self.read(now_ns)
        self.meter.pause(self._motion, now_ns)
        if self.meter.seen != self._seen or self._motion.rests:
            self._told_of_end &= self.meter.seen == self._seen
            self._seen, self._seen_ns = self.meter.seen, now_ns
        if now_ns - self._seen_ns > self.meter.patience_ns or self._is_lost():
            return self._start_again(now_ns)
        return None

    def _is_lost(self) -> bool:
        """Whether all that the tool listens to have left their work to others."""
        left = self._motion.began_ns.keys().isdisjoint(self.meter.only)
        return left and bool(self.meter.only and self._motion.drivers)

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
