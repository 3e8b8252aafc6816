"""The load over time: a trace of how many streams are live."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LoadTrace:
    """Live streams over time, each value holding until the next; None is a gap.

    `time_s` ascends from 0, in seconds. `source` is what the user called it, a path for one.
    """

    name: str
    time_s: tuple[float, ...]
    streams: tuple[float | None, ...]
    source: str = field(default="", compare=False)

    @property
    def where(self) -> Path:
        """The name of the trace in an error."""
        return Path(self.source or self.name)

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the last, seconds."""
        return self.time_s[-1]

    @property
    def peak(self) -> float:
        """The most streams at once."""
        return max(value for value in self.streams if value is not None)

    def at(self, time_s: float) -> float | None:
        """Streams at that time; the trace starts over when it has ended."""
        span_s = self.duration_s or 1.0
        return self.streams[bisect_right(self.time_s, time_s % span_s) - 1]

    def highest(self, from_s: float, to_s: float) -> float | None:
        """The most streams in an interval, however short a spike is; None where all is a gap."""
        span_s = self.duration_s or 1.0
        first, last = (
            bisect_right(self.time_s, from_s % span_s),
            bisect_right(self.time_s, to_s % span_s),
        )
        passed = self.streams[first:last] if first <= last else self.streams[first:]
        values = [value for value in (*passed, self.at(to_s)) if value is not None]
        return max(values, default=None)

    def scaled(self, peak_streams: int, duration_s: float | None = None) -> LoadTrace:
        """The trace with another peak, and played within another time."""
        factor = peak_streams / self.peak if self.peak > 0 else 0.0
        pace = 1.0 if duration_s is None or not self.duration_s else duration_s / self.duration_s
        return replace(
            self,
            time_s=tuple(time_s * pace for time_s in self.time_s),
            streams=tuple(None if v is None else v * factor for v in self.streams),
        )


def constant(streams: int) -> LoadTrace:
    """A load that never changes."""
    return LoadTrace(f"{streams} streams", (0.0,), (float(streams),))


def evening(peak_streams: int, duration_s: float) -> LoadTrace:
    """A built-in trace: a quiet hour, a rise, a busy evening with a surge, and a fall."""
    samples = 240
    values = []
    for k in range(samples):
        phase = k / samples
        wave = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
        ripple = 0.06 * math.sin(2 * math.pi * 9 * phase) + 0.04 * math.sin(
            2 * math.pi * 23 * phase
        )
        surge = 0.3 * math.exp(-(((phase - 0.62) / 0.05) ** 2))
        values.append(max(0.05, 0.15 + 0.6 * wave + ripple + surge))
    times = tuple(duration_s * k / samples for k in range(samples))
    trace = LoadTrace("evening (built in)", times, tuple(values))
    return trace.scaled(peak_streams)
