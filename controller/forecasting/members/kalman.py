"""A Kalman filter on a local level with a local trend."""

from __future__ import annotations

import warnings

import numpy as np

from controller.forecasting.history import Floats
from controller.forecasting.members.linear_filter import Recursion, weights_of

DAMPING = 0.9
"""Share of the trend left after a step: one that went on for ever would leave the ground."""
LEAST = 1e-8
"""Variance below which a filter would no longer move."""


def fit(values: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Weights of the steady-state filter, whose variances statsmodels fits by likelihood.

    Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989).
    """
    from scipy.linalg import solve_discrete_are
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that did not converge is scored like any other
        found = UnobservedComponents(values, "local linear trend").fit(disp=False, maxiter=50)
    noise, level, trend = (max(float(each), LEAST) for each in found.params)
    move = np.array([[1.0, 1.0], [0.0, DAMPING]])
    seen = np.array([[1.0, 0.0]])
    spread = solve_discrete_are(move.T, seen.T, np.diag([level, trend]), np.array([[noise]]))
    gain = (spread @ seen.T / (seen @ spread @ seen.T + noise))[:, 0]
    return weights_of(steady(gain, move, horizon)), np.zeros(horizon)


def steady(gain: Floats, move: Floats, horizon: int) -> Recursion:
    """The filter's recursion with a constant gain, which begins level with the first value."""

    def recursion(past: Floats) -> Floats:
        state = np.stack((past[0], np.zeros(past.shape[1])))
        for value in past[1:]:
            state = move @ state
            state = state + gain[:, None] * (value - state[0])
        powers = [np.linalg.matrix_power(move, step)[0] for step in range(1, horizon + 1)]
        return np.asarray(np.array(powers) @ state)

    return recursion
