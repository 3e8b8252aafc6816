"""Forecasts that are weighted sums of past values: what all linear models come to.

An autoregression, an ARIMA model, exponential smoothing and a Kalman filter in its steady
state forecast by a linear map of the past. A fit finds that map once, by letting the model's
recursion run over unit impulses; to forecast is then one product, and holds no state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from controller.forecasting.forecaster import FitTask
from controller.forecasting.history import Floats, History
from controller.forecasting.model import Fitted, Points, Schedule

LAGS = 100
"""Past values that a forecast looks at, at most."""
TRAINED_ON = 1000
"""Values that a fit looks at."""
NEGLIGIBLE = 1e-3
"""Weight below which a past value is left out."""
FAR = 5.0
"""Usual steps from both neighbours, beyond which a value is pulled in (Huber)."""

Recursion = Callable[[Floats], Floats]
"""Forecasts of shape (horizon, series) from pasts of shape (LAGS, series), linearly."""
Fit = Callable[[Floats, int], tuple[Floats, Floats]]
"""Weights (horizon, LAGS) and constants (horizon,), from past values and a horizon."""


class LinearModel(Fitted):
    """A model whose weights a function at the top of a module finds."""

    def __init__(self, name: str, fit: Fit) -> None:
        super().__init__(Schedule(first=LAGS))
        self.name = name
        self._fit = fit

    def points(self, history: History, _horizon: int, /) -> Points | None:
        """The weighted sums; None before the first fit."""
        if self.parameters is None:
            return None
        weights = self.parameters["weights"]
        past = history.filled[-weights.shape[1] :]
        last = past[-1]
        back = self.parameters["pull"] * (self.parameters["centre"] - last)
        return Points(last + self.parameters["constant"] + back + weights @ (past - last))

    def fit_task(self, history: History, horizon: int) -> FitTask | None:
        """A fit on the last values."""
        if len(history) < LAGS or not self.schedule.begins(history.count):
            return None
        values = history.filled[-TRAINED_ON:].copy()
        return FitTask(self.name, fit_scaled, (self._fit, values, horizon))


def weights_of(recursion: Recursion) -> Floats:
    """The map of a recursion, shape (horizon, LAGS), from its answers to unit impulses."""
    return recursion(np.eye(LAGS))


def fit_scaled(fit: Fit, values: Floats, horizon: int) -> dict[str, Any]:
    """Fit to values about zero in units of their usual deviation, outliers pulled in.

    Weights that do not add up to one pull the forecast towards the centre by what is missing.
    """
    centre = float(np.median(values))
    unit = 1.4826 * float(np.median(np.abs(values - centre))) or float(values.std())
    if unit > 0.0:
        weights, constant = fit(huberised((values - centre) / unit), horizon)
    else:
        weights, constant = np.eye(1, LAGS, LAGS - 1).repeat(horizon, axis=0), np.zeros(horizon)
    if not (np.isfinite(weights).all() and np.isfinite(constant).all()):
        raise ValueError("the fit did not come to finite weights")
    first = int(np.argmax(np.abs(weights).max(axis=0) > NEGLIGIBLE))
    return {
        "weights": weights[:, first:].astype(np.float32),
        "constant": constant * unit,
        "pull": 1.0 - weights.sum(axis=1),
        "centre": centre,
    }


def huberised(values: Floats) -> Floats:
    """Values far from both neighbours are pulled in; a new level, which has one near, is not."""
    steps = np.abs(np.diff(values))
    reach = FAR * (1.4826 * float(np.median(steps)) or float(steps.std()))
    before = np.concatenate((values[:1], values[:-1]))
    after = np.concatenate((values[1:], values[-1:]))
    return np.clip(values, np.minimum(before, after) - reach, np.maximum(before, after) + reach)
