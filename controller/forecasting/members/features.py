"""Features of the past for a regression: lags, means, the seasons and the time within them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.history import Floats, History
from controller.forecasting.members.seasons import calendar
from controller.forecasting.model import knots

Cells = NDArray[np.int64]

LAGS = 12
MEANS = (6, 24, 96)
HARMONICS = 4
FEWEST = 60
"""Past cases without which nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A piece of a history. `first` is the number of its first cell since the very first one,
    so that a season's phase stays as the history rolls on; `seasons` are periods in cells.

    All columns are differences from the last value, so that a new level changes nothing.
    """

    series: Floats
    known: NDArray[np.bool_]
    first: int
    seasons: tuple[int, ...]

    @classmethod
    def of(cls, history: History, seasons: tuple[int, ...], cells: int = 0) -> Self:
        """The part of a history that one row looks back upon, and `cells` cells more."""
        size = min(len(history), reach(seasons) + cells)
        start = len(history) - size
        series, known = history.filled[start:], history.known[start:]
        return cls(series, known, history.count - history.gap - size, seasons)

    @classmethod
    def to_fit(cls, history: History, horizon: int, cases: int) -> Self | None:
        """A copy of the last cases; None where there are too few, as after long gaps."""
        spare = len(history) - FEWEST - horizon
        seasons = calendar(history.step_s, spare)
        if spare < reach(seasons):
            return None
        seen = cls.of(history, seasons, cases + horizon)
        if min(seen.origins(int(step)).size for step in knots(horizon)) < FEWEST:
            return None
        return replace(seen, series=seen.series.copy(), known=seen.known.copy())

    def through(self, map_of: Callable[[Floats], Floats]) -> Self:
        """The scope on another scale."""
        return replace(self, series=map_of(self.series))

    def origins(self, step: int) -> Cells:
        """Cells from which both the past and what came so many steps later are known."""
        cells = np.arange(reach(self.seasons), self.series.size - step)
        return cells[self.known[cells] & self.known[cells + step]]

    def change(self, origins: Cells, steps: Cells | int) -> Floats:
        """The change of the load that came, for each origin."""
        return np.asarray(self.series[origins + steps] - self.series[origins])

    def rows(self, origins: Cells, steps: Cells) -> Floats:
        """All columns, one row for an origin and its step."""
        return np.concatenate((self.common(origins), self.ahead(origins, steps)), axis=1)

    def common(self, origins: Cells) -> Floats:
        """The features that all steps ahead see alike, shape (origins, columns)."""
        last = self.series[origins][:, None]
        total = np.concatenate(([0.0], np.cumsum(self.series)))
        sums = total[origins + 1][:, None] - total[origins[:, None] + 1 - np.array(MEANS)]
        back = np.concatenate((np.arange(1, LAGS + 1), np.array(self.seasons, np.int64)))
        return np.concatenate((last - self.series[origins[:, None] - back], last - sums / MEANS), 1)

    def ahead(self, origins: Cells, steps: Cells) -> Floats:
        """The features of each step alone: those steps a season ago, and the time of season."""
        if not self.seasons:
            return np.empty((np.broadcast(origins, steps).size, 0))
        then = [origins - period * -(-steps // period) for period in self.seasons]
        changes = np.stack([self.change(each, steps) for each in then], axis=1)
        cells = self.first + origins + steps
        times = [waves(period)[cells % period] for period in self.seasons]
        return np.concatenate((changes, *times), axis=1)


def reach(seasons: tuple[int, ...]) -> int:
    """Cells that a row looks back upon, the last one included."""
    return max((LAGS, *MEANS, *seasons)) + 1


def width(seasons: tuple[int, ...]) -> int:
    """Columns that all steps see alike."""
    return LAGS + len(MEANS) + len(seasons)


@lru_cache(maxsize=8)
def waves(period: int) -> Floats:
    """Sines and cosines over a season, shape (period, 2 HARMONICS)."""
    angles = np.outer(2.0 * np.pi * np.arange(period) / period, np.arange(1, HARMONICS + 1))
    return np.concatenate((np.sin(angles), np.cos(angles)), axis=1)
