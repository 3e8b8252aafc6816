"""Exponential smoothing with a damped trend."""

from __future__ import annotations

import warnings

import numpy as np

from controller.forecasting.history import Floats
from controller.forecasting.members.linear_filter import Recursion, weights_of


def fit(values: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Weights of Holt's method with a damped trend, which statsmodels fits.

    Gardner and McKenzie, Management Science 31 (1985).
    """
    from statsmodels.tsa.holtwinters import Holt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that did not converge is scored like any other
        found = Holt(values, damped_trend=True, initialization_method="estimated").fit().params
    level, trend = float(found["smoothing_level"]), float(found["smoothing_trend"])
    recursion = damped(level, trend, float(found["damping_trend"]), horizon)
    return weights_of(recursion), np.zeros(horizon)


def damped(level: float, trend: float, damping: float, horizon: int) -> Recursion:
    """Holt's damped recursion, which begins level with the first value."""
    reached = np.cumsum(damping ** np.arange(1.0, horizon + 1.0))

    def recursion(past: Floats) -> Floats:
        now, slope = past[0], np.zeros(past.shape[1])
        for value in past[1:]:
            before = now
            now = level * value + (1.0 - level) * (before + damping * slope)
            slope = trend * (now - before) + (1.0 - trend) * damping * slope
        return np.asarray(now + reached[:, None] * slope)

    return recursion
