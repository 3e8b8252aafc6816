"""How the cycles of a PipeWire graph are counted: by pw-top, or by pw-profiler before 0.3.79."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.monitors.monitor import Line
from controller.plants.pipewire.active_drivers import ActiveDrivers

LAG_NS = 100_000_000
"""Age, ns, of the youngest cycles that a tool tells of at most: the server and the tool are
ordinary threads, which wait for a processor where others do."""
SETTLES_NS = 200_000_000
"""Time after a driver began, ns, in which cycles are not counted: nodes join one by one."""


@dataclass(frozen=True, slots=True)
class Period:
    """How long the cycles of a driver are."""

    frames: int
    rate_hz: int

    @property
    def seconds(self) -> float:
        """The period by the clock, s."""
        return self.frames / self.rate_hz


class Meter(Protocol):
    """Makes counts of what a tool says.

    `cycles` and `missed` grow from the start, through all restarts of the tool; `seen` grows with
    whatever shows that cycles begin, also where they are not counted. `told_ns` is when the tool
    told last, of the monotonic clock.
    """

    cycles: float
    missed: int
    seen: int
    told_ns: int
    at_once: bool
    """Whether what the tool tells is to be read as soon as it tells; it does so seldom."""
    patience_ns: int
    """Time without a cycle, ns, while drivers are at work, after which the tool is started again:
    the driver that it listens to may be gone, and another at work."""

    @property
    def periods(self) -> Mapping[int, Period]:
        """The periods last measured, by driver."""
        ...

    @property
    def only(self) -> Collection[int]:
        """The only drivers that its tool listens to; none where it listens to all."""
        ...

    def begin(self, now_ns: int) -> tuple[str, ...]:
        """The command line of the tool, that is about to be started anew."""
        ...

    def feed(self, chunk: bytes, active: ActiveDrivers, now_ns: int) -> None:
        """Take more of what it wrote."""
        ...

    def pause(self, active: ActiveDrivers, now_ns: int) -> None:
        """Take note that the tool has written nothing since."""
        ...

    def line(self) -> Line:
        """Counts from the start, and the times of the cycles since the last line."""
        ...


def counts(
    meter: Meter,
    busy_share: float | None,
    late_ms: list[float],
    busy_ms: list[float],
    end_ms: list[float],
) -> Line:
    """The line of a meter."""
    return {
        "cycles": round(meter.cycles),
        "missed": meter.missed,
        "seen": meter.seen,
        "busy_share": busy_share,
        "lateness_ms": late_ms,
        "service_ms": busy_ms,
        "latency_ms": end_ms,
    }
