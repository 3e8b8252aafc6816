"""The highest load within a window: its quantiles are what provisioning must cover."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from controller.forecasting.arrays import decode, encode
from controller.forecasting.ensemble.curves import LEVELS, MEDIAN
from controller.forecasting.ensemble.dependence import SCORES
from controller.forecasting.history import Floats
from policies.policy import State

TRACKED = (0.9, 0.99, 0.999)
"""Probabilities whose peak quantiles are held to their word."""
AT = SCORES[[MEDIAN, *(LEVELS.index(each) for each in TRACKED)]]
"""Normal scores between which a factor is interpolated; at the median it is one."""
OVERLAP = 5
"""Part of the horizon, as its divisor, by which one judged forecast begins after the other."""
RATE = 0.1
"""Share by which a factor grows when its peak is exceeded, times its probability."""
LEAST, MOST = 0.5, 10.0
"""Factors that a peak's distance from the median peak is ever multiplied by."""


@dataclass(slots=True)
class _Stated:
    """The peaks forecast after a cell, shape (windows, TRACKED), and the peak so far."""

    cell: int
    quantiles: Floats
    highest: float | None = None


class Peaks:
    """Tracks the quantiles of the peak as single steps' are tracked.

    A peak falls where the load is least like itself, a busy hour, and there errors are larger
    than at most times: a path that is right step by step is then too low at its peak. Only
    the step at which a path peaks is moved, so that other steps keep their law.
    """

    def __init__(self, horizon: int) -> None:
        self.every = max(1, horizon // OVERLAP)
        self._windows = sorted({horizon, max(1, horizon // 4)}, reverse=True)
        self._factors = np.ones((len(self._windows), len(AT)))
        self._stated: list[_Stated] = []

    def corrected(self, paths: Floats) -> Floats:
        """Paths of shape (samples, steps) with their peaks moved; the argument is changed."""
        for window, factors in zip(self._windows, self._factors, strict=True):
            if (factors != 1.0).any():
                _move_peaks(paths[:, :window], factors)
        return paths

    def issue(self, paths: Floats, cell: int) -> None:
        """Take note of what corrected paths say."""
        peaks = [paths[:, :window].max(axis=1) for window in self._windows]
        self._stated.append(_Stated(cell, np.array([np.quantile(each, TRACKED) for each in peaks])))

    def learn(self, value: float | None, cell: int) -> None:
        """Take the load of a cell and judge the windows that it closes; a gap leaves none."""
        if value is None:
            self._stated.clear()
            return
        for stated in self._stated:
            stated.highest = value if stated.highest is None else max(stated.highest, value)
            for row, window in enumerate(self._windows):
                if cell - stated.cell == window:
                    self._judge(row, stated.highest > stated.quantiles[row])
        self._stated = [each for each in self._stated if cell - each.cell < self._windows[0]]

    def saved(self) -> State:
        """The factors, and what was said of peaks to come."""
        stated: State = [[each.cell, encode(each.quantiles), each.highest] for each in self._stated]
        return [encode(self._factors), stated]

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._factors = decode(saved[0])
        self._stated = [_Stated(cell, decode(stated), peak) for cell, stated, peak in saved[1]]

    def _judge(self, row: int, exceeded: NDArray[np.bool_]) -> None:
        """Move each factor up when its peak was exceeded, down a little when not."""
        moved = self._factors[row, 1:] + RATE * (exceeded - (1.0 - np.array(TRACKED)))
        self._factors[row, 1:] = np.clip(moved, LEAST, MOST)


def _move_peaks(paths: Floats, factors: Floats) -> None:
    """Multiply the distance of each path's peak from the median peak by its rank's factor."""
    half = len(paths) // 2
    at = paths.argmax(axis=1)
    peaks = paths[np.arange(len(paths)), at]
    order = np.argsort(peaks)
    ascending = peaks[order]
    factor = np.interp(_normal(len(paths)), AT, factors)
    moved = np.maximum.accumulate(ascending[half] + factor * (ascending - ascending[half]))
    upper = order[half:]
    lower = moved[half:] < ascending[half:]
    paths[upper[lower]] = np.minimum(paths[upper[lower]], moved[half:][lower, None])
    paths[upper, at[upper]] = moved[half:]


@lru_cache(maxsize=4)
def _normal(samples: int) -> Floats:
    """Normal scores of the ranks of so many samples."""
    return np.asarray(ndtri((np.arange(samples) + 0.5) / samples))
