"""The two simplest ideas: the load stays what it is, or what it was on average."""

from __future__ import annotations

import numpy as np

from controller.forecasting.history import History
from controller.forecasting.model import Points, Unfitted


class Persistence(Unfitted):
    """The load stays what it is."""

    name = "last_value"

    def points(self, history: History, horizon: int) -> Points | None:
        """The last value, at every step."""
        return Points(np.full(horizon, history.last))


class RecentMean(Unfitted):
    """The load goes back to its mean over the last cells."""

    def __init__(self, name: str, cells: int) -> None:
        self.name = name
        self._cells = cells

    def points(self, history: History, horizon: int) -> Points | None:
        """The mean, at every step; None before there are as many values."""
        if len(history) < self._cells:
            return None
        return Points(np.full(horizon, float(history.filled[-self._cells :].mean())))
