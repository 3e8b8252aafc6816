"""Quantiles that keep their word: each is moved until it is exceeded as often as it says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from controller.forecasting.arrays import decode, encode
from controller.forecasting.ensemble.curves import HIGH, LEVELS, LOW, MEDIAN, Curves, P
from controller.forecasting.ensemble.dependence import normal_scores
from controller.forecasting.history import Floats
from controller.forecasting.model import Steps, between_knots, knots
from policies.policy import State

RATE = 0.02
"""Widths by which a quantile moves up when it is exceeded, times its probability."""
SLOWER_FROM = 15.0
"""Steps ahead from which it moves slower, since what it did is seen later (delayed feedback)."""


class Coverage:
    """Tracks every quantile at every knot (adaptive conformal inference).

    Gibbs and Candès, NeurIPS 2021; Angelopoulos et al., NeurIPS 2023. What is moved is
    counted in the forecast's own widths, median to 10 or 90 %.
    """

    def __init__(self, horizon: int) -> None:
        at = knots(horizon)
        self._horizon, self._knots = horizon, at
        self._surprise = math.nan
        self._rate = RATE / np.maximum(1.0, at / SLOWER_FROM)[:, None]
        self._shift = np.zeros((at.size, len(LEVELS)))
        self._medians = np.full((horizon + 1, horizon), np.nan)
        self._offsets = np.full((horizon + 1, at.size, len(LEVELS)), np.nan)
        self._scores = np.full((horizon + 1, horizon), np.nan)

    @property
    def surprise(self) -> float:
        """The normal score of the last load under the forecast one step before; NaN after a gap."""
        return self._surprise

    def issue(self, curves: Curves, cell: int) -> Curves:
        """The curves, corrected."""
        offsets = np.sort(curves.offsets + self._shift * _widths(curves.offsets), axis=1)
        middle = offsets[:, MEDIAN]
        median = curves.median + between_knots(self._horizon) @ middle
        corrected = Curves(median, offsets - middle[:, None])
        slot = cell % (self._horizon + 1)
        self._medians[slot], self._offsets[slot] = corrected.median, corrected.offsets
        self._scores[slot] = np.nan
        return corrected

    def skip(self, cell: int) -> None:
        """Note that nothing was forecast from this cell."""
        slot = cell % (self._horizon + 1)
        self._medians[slot], self._offsets[slot] = np.nan, np.nan

    def learn(self, value: float, cell: int) -> Floats | None:
        """Take the load of a cell.

        The normal scores, step by step, of the forecast that it completes; None where that
        has gaps.
        """
        self._track(value, (cell - self._knots) % (self._horizon + 1))
        ahead = np.arange(1, self._horizon + 1)
        made = (cell - ahead) % (self._horizon + 1)
        about = np.einsum("hk,hkl->hl", between_knots(self._horizon), self._offsets[made])
        stated = self._medians[made, ahead - 1][:, None] + about
        self._scores[made, ahead - 1] = normal_scores(value, stated)
        self._surprise = float(self._scores[made[0], 0])
        completed: Floats = self._scores[made[-1]]
        return completed.copy() if np.isfinite(completed).all() else None

    def saved(self) -> State:
        """How far each quantile was moved, and the forecasts under way."""
        return [encode(each) for each in (self._shift, self._medians, self._offsets, self._scores)]

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._shift, self._medians, self._offsets, self._scores = map(decode, saved)

    def _track(self, value: float, made: Steps) -> None:
        knot = np.arange(self._knots.size)
        stated = self._medians[made, self._knots - 1][:, None] + self._offsets[made, knot]
        exceeded = np.where(np.isnan(stated), 1.0 - P, value > stated)
        self._shift += self._rate * (exceeded - (1.0 - P))


def _widths(offsets: Floats) -> Floats:
    """Widths from the median to the 10 % quantile for levels below, to the 90 % for those above."""
    below, above = offsets[:, [LOW]], offsets[:, [HIGH]]
    half = 0.5 * (above - below)
    return np.where(P < 0.5, -below, np.where(P > 0.5, above, half))
