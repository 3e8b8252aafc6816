"""The load of a season ago, corrected for how today differs."""

from __future__ import annotations

from typing import Any

import numpy as np

from controller.forecasting.arrays import decode, encode
from controller.forecasting.forecaster import FitTask
from controller.forecasting.history import Floats, History
from controller.forecasting.members import seasons
from controller.forecasting.model import Points, Schedule, Steps, Unfitted, knots
from policies.policy import State

SEASONS = 4
FADE = 0.6
"""Weight of a season relative to the one after it."""
ERRORS = 400
"""Errors of the seasonal load from which their persistence is learned."""
SEARCHED = 8192
"""Cells in which a season is looked for."""
UNKNOWN = 1e-6
"""Weight of a cell that was not measured: counts only where none was."""


class SeasonalNaive(Unfitted):
    """The load of the last seasons, plus today's difference from it as far as such last.

    How much of a difference is left h steps later is its autocorrelation at lag h. Nothing is
    said before two seasons.
    """

    def __init__(self, name: str, period_s: float = 0.0) -> None:
        self.name = name
        self._period_s = period_s
        self._errors: Floats = np.empty(0)
        self._counted = 0

    def points(self, history: History, horizon: int) -> Points | None:
        """The corrected load of earlier seasons; None before two."""
        period = round(self._period_s / history.step_s)
        if period < 2 or len(history) < 2 * period + 1:
            return None
        new = min(history.count - self._counted, ERRORS, len(history) - period)
        seasonal = seasonal_load(history, period, np.arange(1 - new, horizon + 1))
        self._take(history.filled[history.filled.size - new :] - seasonal[:new], history.count)
        mean = float(self._errors.mean())
        left = persistence(self._errors - mean, horizon)
        return Points(seasonal[new:] + mean + left * (self._errors[-1] - mean))

    def saved(self) -> State:
        """The errors so far."""
        return [self._period_s, self._counted, encode(self._errors)]

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._period_s, self._counted, errors = saved
        self._errors = decode(errors)

    def _take(self, errors: Floats, counted: int) -> None:
        """The errors of the cells that came since the last time."""
        self._counted = counted
        self._errors = np.concatenate((self._errors, errors))[-ERRORS:]


class FoundSeason(SeasonalNaive):
    """The season that the data itself shows, looked for now and then."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._schedule = Schedule(100)

    def fit_task(self, history: History, _horizon: int, /) -> FitTask | None:
        """A search for the period."""
        if not self._schedule.begins(history.count):
            return None
        searched = history.filled[-SEARCHED:].copy()
        return FitTask(self.name, seasons.found, (searched, history.step_s))

    def fitted(self, result: Any) -> None:
        """Take the period, seconds; 0 where no season shows."""
        if result != self._period_s:
            self._period_s, self._errors, self._counted = float(result), np.empty(0), 0

    def saved(self) -> State:
        """The period and its errors, and when the next search is due."""
        return {"season": super().saved(), "due": self._schedule.due}

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        super().resume(saved["season"])
        self._schedule.due = saved["due"]


def seasonal_load(history: History, period: int, cells: Steps) -> Floats:
    """The load of earlier seasons at cells counted from the last value, recent ones the most.

    A cell unknown in one season is taken from the others; in all, from the last one as filled.
    """
    values, known = history.filled, history.known
    begun = np.maximum(-(-cells // period), 1)
    at = values.size - 1 + cells[:, None] - (begun[:, None] + np.arange(SEASONS)) * period
    inside = np.maximum(at, 0)
    weights = np.where(known[inside], WEIGHTS, UNKNOWN * WEIGHTS) * (at >= 0)
    seasonal: Floats = (values[inside] * weights).sum(axis=1) / weights.sum(axis=1)
    return seasonal


WEIGHTS = FADE ** np.arange(SEASONS)


def persistence(centred: Floats, horizon: int) -> Floats:
    """The autocorrelation of a series without mean at each lag, between 0 and 1."""
    power = float(centred @ centred)
    if power <= 0.0:
        return np.ones(horizon)
    at = knots(min(horizon, centred.size - 1))
    products = [float(centred[:-lag] @ centred[lag:]) for lag in at]
    return np.clip(np.interp(np.arange(1, horizon + 1), at, products) / power, 0.0, 1.0)
