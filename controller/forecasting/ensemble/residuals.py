"""How far forecasts were off: rolling residuals and their quantiles (split conformal)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.arrays import decode, encode
from controller.forecasting.ensemble.curves import HIGH, LEVELS, LOW, P
from controller.forecasting.history import Floats
from policies.policy import State

FEWEST = 25
"""Residuals without which no quantile is known."""
TAIL = 0.1
"""Share of the residuals that the tail is fitted to."""
TAIL_FROM = 200
"""Residuals from which the 1 % quantile is read, not fitted."""
RISING = P > 0.5
DEPTH = np.log(TAIL / np.minimum(P, 1.0 - P))
"""Mean excesses by which each level lies beyond the 10 % or the 90 % quantile."""


class RollingResiduals:
    """The last `kept` residuals of each of many rows, and their quantiles at `LEVELS`.

    A quantile of n residuals is read at rank p (n + 1), which keeps its coverage in a finite
    sample (Vovk et al., Algorithmic Learning in a Random World, 2005); where only one in
    `overlap` tells something of its own, at p (n + overlap), and at the other end alike. Beyond
    what n can show it follows an exponential tail fitted to the outermost tenth. Rows are sorted
    one group of `groups` at every call: one residual moves a quantile little.
    """

    def __init__(
        self, rows: int, kept: int = 400, groups: int = 8, overlap: Floats | float = 1.0
    ) -> None:
        self._overlap = np.broadcast_to(overlap, rows)
        self._kept = kept
        self._groups = groups
        self._group = 0
        self._values = np.full((rows, kept), np.inf, np.float32)
        self._count = np.zeros(rows, np.int64)
        self.quantiles: Floats = np.full((rows, len(LEVELS)), np.nan)

    @property
    def count(self) -> NDArray[np.int64]:
        """Residuals taken so far, by row."""
        return self._count

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows with enough residuals for a quantile."""
        return ~np.isnan(self.quantiles[:, 0])

    def add(self, residuals: Floats) -> None:
        """Take one residual a row; NaN where there is none."""
        rows = np.flatnonzero(np.isfinite(residuals))
        self._values[rows, self._count[rows] % self._kept] = residuals[rows]
        self._count[rows] += 1
        self._group = (self._group + 1) % self._groups
        self._sort(rows[(rows % self._groups == self._group) | (self._count[rows] <= 2 * FEWEST)])

    def saved(self) -> State:
        """All residuals and quantiles."""
        return [self._group, encode(self._values), encode(self._count), encode(self.quantiles)]

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._group = saved[0]
        self._values, self._count, self.quantiles = map(decode, saved[1:])

    def _sort(self, rows: NDArray[np.intp]) -> None:
        rows = rows[self._count[rows] >= FEWEST]
        if rows.size:
            held = np.minimum(self._count[rows], self._kept)
            self.quantiles[rows] = quantiles(
                np.sort(self._values[rows], axis=1), held, self._overlap[rows]
            )


def quantiles(ascending: Floats, held: NDArray[np.int64], overlap: Floats) -> Floats:
    """Quantiles at `LEVELS` of sorted rows, of which only the first `held` values count."""
    outer = np.outer(held + overlap, np.maximum(P, 1.0 - P))
    ranks = np.where(P < 0.5, held[:, None] - outer, outer - 1.0)
    ranks = np.clip(ranks, 0.0, held[:, None] - 1.0)
    below = ranks.astype(np.int64)
    above = np.minimum(below + 1, held[:, None] - 1)
    low = np.take_along_axis(ascending, below, axis=1).astype(np.float64)
    high = np.take_along_axis(ascending, above, axis=1)
    found = low + (ranks - below) * (high - low)
    fitted = _tails(ascending, held, found)
    few = (held < TAIL_FROM)[:, None]
    found[:, [1, -2]] = np.where(few, _outer(found, fitted, [1, -2]), found[:, [1, -2]])
    found[:, 0] = np.minimum(fitted[:, 0], 2.0 * found[:, 1] - found[:, LOW])
    found[:, -1] = np.maximum(fitted[:, -1], 2.0 * found[:, -2] - found[:, HIGH])
    return found


def _outer(found: Floats, fitted: Floats, columns: list[int]) -> Floats:
    low, high = columns
    return np.stack(
        (
            np.minimum(found[:, low], fitted[:, low]),
            np.maximum(found[:, high], fitted[:, high]),
        ),
        axis=1,
    )


def _tails(ascending: Floats, held: NDArray[np.int64], found: Floats) -> Floats:
    """Quantiles on exponential tails beyond the 10 and the 90 % quantile."""
    most = np.maximum((held * TAIL).astype(np.int64), 2)[:, None]
    outermost = np.arange(int(most.max()))
    counts = outermost < most
    lowest = ascending[:, : outermost.size]
    highest = np.take_along_axis(ascending, np.maximum(held[:, None] - 1 - outermost, 0), axis=1)
    low, high = found[:, [LOW]], found[:, [HIGH]]
    below = low - (np.where(counts, lowest, 0.0).sum(axis=1, keepdims=True) / most)
    above = (np.where(counts, highest, 0.0).sum(axis=1, keepdims=True) / most) - high
    fitted = np.where(
        RISING, high + np.maximum(above, 0.0) * DEPTH, low - np.maximum(below, 0.0) * DEPTH
    )
    return np.asarray(fitted)
