"""How errors at the steps of one forecast hang together, so that its paths are joint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from controller.forecasting.arrays import decode, encode
from controller.forecasting.ensemble.curves import LEVELS
from controller.forecasting.history import Floats
from policies.policy import State

SCORES: Floats = ndtri(LEVELS)
"""Normal scores of the levels."""
KEPT = 500
"""Past forecasts whose errors are held."""
OVERLAP = 15
"""Part of the horizon, as its divisor, by which one forecast held begins after the other."""
PRIOR = 25
"""Forecasts that the dependence assumed at first, that of a random walk, is worth."""
REFRESH = 10, 0.2
"""New forecasts after which ranks are drawn anew: so many, or this share of those held."""
JITTER = 0.2
"""Normal scores by which the copies of one past forecast differ."""


class Dependence:
    """Ranks of joint paths, drawn from how past errors ran (the Schaake shuffle).

    Clark et al., Journal of Hydrometeorology 5 (2004). A past forecast is held as the normal
    scores of what came, one a step. Ranks have shape (samples, steps), and each column holds
    every rank once: whatever quantiles are put in their place keep their probabilities.
    """

    def __init__(self, steps: int, samples: int, seed: int) -> None:
        self._steps = steps
        self._samples = samples
        self._every = max(1, steps // OVERLAP)
        self._offered = self._new = 0
        self._rows = np.empty((0, steps), np.float16)
        self._used = self._rows
        generator = np.random.default_rng(seed)
        self._noise = generator.standard_normal((samples, steps))
        self._choice = generator.random(samples)
        self._walk = np.cumsum(self._noise, axis=1) / np.sqrt(np.arange(1.0, steps + 1.0))
        self.places = self._draw()

    places: NDArray[np.int64]
    """Step times samples plus rank: places in a flat table of (steps, samples) quantiles."""

    def add(self, scores: Floats) -> None:
        """Take the normal scores of one forecast; one of `every` is held."""
        self._offered += 1
        if self._offered % self._every:
            return
        self._rows = np.concatenate((self._rows, scores[None].astype(np.float16)))[-KEPT:]
        self._new += 1
        if self._new >= max(REFRESH[0], REFRESH[1] * len(self._rows)):
            self._used, self._new = self._rows, 0
            self.places = self._draw()

    def saved(self) -> State:
        """The past forecasts, and which of them the ranks were drawn from."""
        return [self._offered, self._new, encode(self._rows), encode(self._used)]

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._offered, self._new = saved[:2]
        self._rows, self._used = map(decode, saved[2:])
        self.places = self._draw()

    def _draw(self) -> NDArray[np.int64]:
        """Each path follows a past forecast, or a random walk while there are few."""
        held = len(self._used)
        chosen = (self._choice * (held + PRIOR)).astype(np.int64)
        scores = self._walk.copy()
        learned = chosen < held
        scores[learned] = self._used[chosen[learned]] + JITTER * self._noise[learned]
        order = np.argsort(scores.T, axis=1)
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(self._samples)[None, :], axis=1)
        return np.ascontiguousarray((ranks + self._samples * np.arange(self._steps)[:, None]).T)


def normal_scores(value: float, curves: Floats) -> Floats:
    """The normal score of a value under each of many quantile curves at `LEVELS`."""
    below = np.clip((curves < value).sum(axis=1), 1, len(LEVELS) - 1)
    rows = np.arange(len(curves))
    low, high = curves[rows, below - 1], curves[rows, below]
    width = high - low
    part = np.divide(value - low, width, out=np.full_like(width, 0.5), where=width > 0.0)
    part = np.clip(part, -0.5, 1.5)
    scores: Floats = SCORES[below - 1] + part * (SCORES[below] - SCORES[below - 1])
    return scores


@dataclass(frozen=True, slots=True)
class Table:
    """Makes tables of as many quantiles as there are samples from those at `LEVELS`.

    Sample i of n stands for probability i / (n - 1), so that a quantile of the samples is the
    quantile asked for; the outermost stand for a quarter of a sample from the end. Between
    the levels, and beyond them, quantiles are linear in the normal score.
    """

    above: NDArray[np.int64]
    part: Floats

    @classmethod
    def of(cls, samples: int) -> Self:
        """For so many samples."""
        edge = 0.25 / samples
        wanted = ndtri(np.clip(np.linspace(0.0, 1.0, samples), edge, 1.0 - edge))
        above = np.clip(np.searchsorted(SCORES, wanted), 1, len(LEVELS) - 1)
        return cls(above, (wanted - SCORES[above - 1]) / (SCORES[above] - SCORES[above - 1]))

    def fill(self, quantiles: Floats) -> Floats:
        """Paths of shape (steps, samples) through quantiles of shape (steps, LEVELS)."""
        below = quantiles[:, self.above - 1]
        return np.asarray(below + self.part * (quantiles[:, self.above] - below))
