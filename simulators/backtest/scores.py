"""The score of a forecast: loss, scaled error and coverage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.forecast import Forecast

QUANTILES = (0.5, 0.9, 0.99)
UPPER = QUANTILES[1:]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Actuals:
    """The load after each origin: `values` of shape (origins, steps), where `known`.

    `naive_error` is how far the load moves from one reading to the next, on average, before
    the first origin: the unit of the scaled error.
    """

    values: Floats
    known: Flags
    naive_error: float


@dataclass(frozen=True, slots=True, eq=False)
class Stated:
    """Forecasts: quantiles (origins, 3, steps), and those of the peaks (origins, windows, 2).

    A peak is NaN where nothing was said of it, or nothing came.
    """

    quantiles: Floats
    peaks: Floats

    @classmethod
    def of(cls, forecasts: Iterable[Forecast], known: Flags, horizons: Sequence[int]) -> Stated:
        """Scores of sample paths; a peak is that of the steps whose load is known."""
        quantiles, peaks = [], []
        for forecast, seen in zip(forecasts, known, strict=True):
            paths = forecast.paths[:, : seen.size]
            quantiles.append(np.quantile(paths, QUANTILES, axis=0))
            peaks.append([_peak(paths, seen, horizon) for horizon in horizons])
        return cls(np.array(quantiles), np.array(peaks))

    @classmethod
    def of_quantiles(cls, quantiles: Sequence[Floats], horizons: Sequence[int]) -> Stated:
        """Scores of quantiles (3, steps) of each origin; of steps alone no peak can be told."""
        return cls(np.array(quantiles), np.full((len(quantiles), len(horizons), 2), np.nan))


def _peak(paths: Floats, known: Flags, horizon: int) -> list[float]:
    within = paths[:, :horizon][:, known[:horizon]]
    if not within.size:
        return [math.nan] * len(UPPER)
    return list(map(float, np.quantile(within.max(axis=1), UPPER)))


@dataclass(frozen=True, slots=True)
class Score:
    """Sums over the targets of one window, which add up over traces.

    `hits` and `peak_hits` are how many loads, and peaks, were at most the stated p90 and p99.
    """

    targets: int
    pinball: float
    load: float
    error: float
    hits: tuple[int, ...]
    peaks: int
    peak_hits: tuple[int, ...]

    @classmethod
    def of(cls, actuals: Actuals, stated: Stated, window: int, horizon: int) -> Score:
        """Score the steps up to the horizon, which is that of the window of this number."""
        known, actual = actuals.known[:, :horizon], actuals.values[:, :horizon]
        actual = np.where(known, actual, 0.0)
        quantiles = stated.quantiles[:, :, :horizon]
        levels = np.array(QUANTILES)[:, None]
        over = actual[:, None, :] - quantiles
        pinball = np.maximum(levels * over, (levels - 1.0) * over).mean(axis=1)
        reached = np.where(known, actual, -np.inf).max(axis=1)
        peaks = stated.peaks[:, window]
        told = np.isfinite(peaks[:, 0])
        return cls(
            targets=int(known.sum()),
            pinball=float(pinball[known].sum()),
            load=float(np.abs(actual).sum()),
            error=float(np.abs(over[:, 0][known]).sum()),
            hits=tuple(int((over[:, k][known] <= 0.0).sum()) for k in (1, 2)),
            peaks=int(told.sum()),
            peak_hits=tuple(map(int, (reached[told, None] <= peaks[told]).sum(axis=0))),
        )

    def __add__(self, other: Score) -> Score:
        return Score(
            self.targets + other.targets,
            self.pinball + other.pinball,
            self.load + other.load,
            self.error + other.error,
            tuple(map(sum, zip(self.hits, other.hits, strict=True))),
            self.peaks + other.peaks,
            tuple(map(sum, zip(self.peak_hits, other.peak_hits, strict=True))),
        )

    @property
    def wql(self) -> float | None:
        """Weighted quantile loss: twice the mean pinball loss of p50, p90 and p99, per load.

        None where there was no load at all.
        """
        return 2.0 * self.pinball / self.load if self.load else None

    def mase(self, naive_error: float) -> float | None:
        """Mean absolute scaled error of the median (Hyndman and Koehler 2006).

        None where the load never moved before the first origin.
        """
        return self.error / self.targets / naive_error if naive_error else None

    def coverage(self) -> dict[str, float]:
        """Shares of loads and peaks within the stated quantile, by the names that figures bear."""
        shares = zip(("coverage_p90", "coverage_p99"), self.hits, strict=True)
        peaks = zip(("peak_coverage_p90", "peak_coverage_p99"), self.peak_hits, strict=True)
        return {name: hits / self.targets for name, hits in shares if self.targets} | {
            name: hits / self.peaks for name, hits in peaks if self.peaks
        }
