"""The law of the load at every step ahead, as quantile curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from controller.forecasting.arrays import decode, encode
from controller.forecasting.history import Floats
from controller.forecasting.model import between_knots
from policies.policy import State

LEVELS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
"""Probabilities at which every distribution is held, symmetric about one half."""
P = np.array(LEVELS)
MEDIAN, LOW, HIGH = (LEVELS.index(each) for each in (0.5, 0.1, 0.9))


@dataclass(frozen=True, slots=True)
class Curves:
    """The median at each step ahead, and quantiles about it, interpolated between the knots.

    `median` has shape (horizon,), `offsets` (knots, LEVELS).
    """

    median: Floats
    offsets: Floats

    def quantiles(self, gap: int = 0) -> Floats:
        """Shape (horizon, LEVELS), from so many steps after the curves begin.

        Beyond their end the last median stays, and the width grows as a random walk's.
        """
        horizon = self.median.size
        at = np.arange(horizon) + gap
        within = np.minimum(at, horizon - 1)
        wider = np.sqrt((at + 1.0) / (within + 1.0))[:, None]
        about: Floats = (between_knots(horizon) @ self.offsets)[within]
        return self.median[within, None] + wider * about

    def saved(self) -> State:
        """The curves as plain JSON."""
        return [encode(self.median), encode(self.offsets)]

    @classmethod
    def resumed(cls, saved: Any) -> Self:
        """The curves that gave this `saved`."""
        return cls(*map(decode, saved))
