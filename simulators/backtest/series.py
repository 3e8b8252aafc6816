"""A recorded load on its own regular grid, as a forecaster meets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.errors import TraceError
from controller.load.trace import LoadTrace
from policies.observation import Reading, Value
from simulators.backtest.scores import Actuals
from simulators.loads.load_path import GAP

MOST_STEPS = 5_000_000
KNOWN_SHARE = 0.5
"""Share of the readings after an origin that are known: with fewer there is little to score."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A trace on its own regular grid; `values` of shape (steps,) hold only where `known`."""

    name: str
    step_s: float
    values: Floats
    known: NDArray[np.bool_]
    where: Path

    @classmethod
    def of(cls, trace: LoadTrace) -> Series:
        """The readings of a trace on its usual interval; points with none are gaps.

        Of two readings on one point the later stays.
        Raises TraceError for a trace of one reading, and for one whose times are so far apart
        that nearly all of its grid would be a gap.
        """
        times_s = np.array(trace.time_s)
        if times_s.size < 2:
            raise TraceError(trace.where, None, "one reading only", "give a longer trace")
        step_s = float(np.median(np.diff(times_s)))
        steps = round(trace.duration_s / step_s) + 1
        if steps > MOST_STEPS:
            why = f"{steps:,} steps of {step_s:g} s, most of them empty"
            raise TraceError(trace.where, None, why, "sort out the times")
        values = np.zeros(steps)
        known = np.zeros(steps, np.bool_)
        for at, value in zip(np.rint(times_s / step_s).astype(int), trace.streams, strict=True):
            values[at], known[at] = (0.0, False) if value is None else (value, True)
        return cls(trace.name, step_s, values, known, trace.where)

    def reading(self, step: int) -> Reading:
        """The reading of a step, as a sensor would have given it."""
        return Value(float(self.values[step])) if self.known[step] else GAP

    def origins(self, count: int, horizon: int) -> tuple[int, ...]:
        """After how many readings to forecast: evenly spread over the second half.

        The last reading before an origin is known, and half of those within the horizon.
        Raises TraceError for a trace that has no such point.
        """
        first, last = self.values.size // 2, self.values.size - horizon
        seen = np.concatenate(([0], np.cumsum(self.known)))
        points = np.arange(max(1, first), max(1, last + 1))
        after = seen[np.minimum(points + horizon, seen.size - 1)] - seen[points]
        able = points[self.known[points - 1] & (after >= KNOWN_SHARE * horizon)]
        if not able.size:
            why = f"its {self.values.size} readings are too few to forecast {horizon} steps"
            if last >= first:
                why = f"gaps in its second half leave no reading to forecast {horizon} steps from"
            remedy = "give a longer trace or a shorter --horizon"
            raise TraceError(self.where, None, why, remedy)
        spread = np.linspace(0, able.size - 1, min(count, able.size))
        return tuple(able[np.rint(spread).astype(int)].tolist())

    def actuals(self, origins: Sequence[int], horizon: int) -> Actuals:
        """The load after each origin."""
        at = np.add.outer(np.array(origins), np.arange(horizon))
        before = self.values[: origins[0]][self.known[: origins[0]]]
        moved = np.abs(np.diff(before))
        return Actuals(self.values[at], self.known[at], float(moved.mean()) if moved.size else 0.0)
