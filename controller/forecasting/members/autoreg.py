"""Autoregression: the next value as a weighted sum of the last 24."""

from __future__ import annotations

import warnings

import numpy as np

from controller.forecasting.history import Floats
from controller.forecasting.members.linear_filter import LAGS, weights_of

ORDER = 24


def fit(values: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Weights and constants of AutoReg(24), which statsmodels fits by least squares."""
    from statsmodels.tsa.ar_model import AutoReg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lags that do not tell apart are scored like any other
        constant, *weights = np.asarray(AutoReg(values, ORDER).fit().params)
    kernel = np.array(weights[::-1])

    def recursion(past: Floats, added: float = 0.0) -> Floats:
        series = past[-ORDER:]
        for _ in range(horizon):
            series = np.concatenate((series, (kernel @ series[-ORDER:] + added)[None]))
        return series[ORDER:]

    return weights_of(recursion), recursion(np.zeros((LAGS, 1)), constant)[:, 0]
