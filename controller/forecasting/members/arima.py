"""ARIMA: changes that remember themselves and their surprises."""

from __future__ import annotations

import warnings

import numpy as np

from controller.forecasting.history import Floats
from controller.forecasting.members.linear_filter import weights_of

ORDER = (2, 1, 2)
ITERATIONS = 50


def fit(values: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Weights of ARIMA(2, 1, 2), which statsmodels fits by maximum likelihood."""
    from statsmodels.tsa.arima.model import ARIMA

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that did not converge is scored like any other
        found = ARIMA(values, order=ORDER).fit(method_kwargs={"maxiter": ITERATIONS})
    ar, ma = np.asarray(found.arparams), np.asarray(found.maparams)

    def recursion(past: Floats) -> Floats:
        changes: Floats = arma(np.diff(past, axis=0), ar, ma, horizon)
        return np.asarray(past[-1] + np.cumsum(changes, axis=0))

    return weights_of(recursion), np.zeros(horizon)


def arma(past: Floats, ar: Floats, ma: Floats, horizon: int) -> Floats:
    """ARMA forecasts of shape (horizon, series); what came before the past counts as zero."""
    values, surprises = np.zeros((ar.size, past.shape[1])), np.zeros((ma.size, past.shape[1]))
    ahead = []
    for row in range(past.shape[0] + horizon):
        expected = ar @ values + ma @ surprises
        value = past[row] if row < past.shape[0] else expected
        values = np.concatenate((value[None], values[:-1]))
        surprises = np.concatenate(((value - expected)[None], surprises[:-1]))
        ahead.append(value)
    return np.array(ahead[past.shape[0] :])
