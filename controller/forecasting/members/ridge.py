"""Ridge regression on lags, rolling means, the seasons and the time of season."""

from __future__ import annotations

from typing import Any

import numpy as np

from controller.forecasting.forecaster import FitTask
from controller.forecasting.history import Floats, History
from controller.forecasting.members import features
from controller.forecasting.model import Fitted, Points, Schedule, between_knots, knots

ROWS = 4000
"""Past cases that a fit looks at, at most."""
PENALTY = 10.0
FAR = 4.0
"""Usual errors beyond which a case is pulled in before the second fit (Huber)."""
LOG_UNIT = 0.1
"""Part of the median load that is the unit of log space, where the load is log(1 + load / unit)."""
BEYOND = 0.7
"""Distance above the highest load seen that a forecast in log space may go: to twice it. Others may
go as far beyond the loads seen as these are apart."""


class Ridge(Fitted):
    """A regression at each knot of the horizon, interpolated between them.

    In log space its errors are relative to the load.
    """

    def __init__(self, name: str, logarithmic: bool = False) -> None:
        super().__init__(Schedule(first=100))
        self.name = name
        self._logarithmic = logarithmic

    def points(self, history: History, horizon: int) -> Points | None:
        """The forecast of the regressions; None before the first fit."""
        fit = self.parameters
        if fit is None:
            return None
        seen = features.Scope.of(history, tuple(fit["seasons"]))
        if not self._logarithmic:
            load = seen.series[-1] + _change(fit, seen, horizon)
            return Points(np.clip(load, *fit["bounds"]))
        seen = seen.through(lambda load: to_log(load, fit["unit"]))
        expected = seen.series[-1] + _change(fit, seen, horizon)
        load = fit["unit"] * np.expm1(np.minimum(expected, fit["most"]))
        return Points(load, np.maximum(load, 0.0) + fit["unit"])

    def fit_task(self, history: History, horizon: int) -> FitTask | None:
        """A fit on the last cases, once there are enough."""
        if not self.schedule.is_due(history.count):
            return None
        seen = features.Scope.to_fit(history, horizon, ROWS)
        if seen is None or not self.schedule.begins(history.count):
            return None
        return FitTask(self.name, fit_ridge, (seen, horizon, self._logarithmic))


def to_log(load: Floats, unit: float) -> Floats:
    """The load in log space."""
    return np.asarray(np.log1p(np.maximum(load, 0.0) / unit))


def _change(fit: dict[str, Any], seen: features.Scope, horizon: int) -> Floats:
    now = np.array([seen.series.size - 1])
    own = seen.ahead(now, np.arange(1, horizon + 1))
    change = fit["constant"] + fit["common"] @ seen.common(now)[0]
    return np.asarray(change + np.einsum("hc,hc->h", fit["ahead"], own))


def fit_ridge(seen: features.Scope, horizon: int, logarithmic: bool) -> dict[str, Any]:
    """Weights by step: `common` for what all see alike, `ahead` for what each sees of its own."""
    typical = float(np.median(np.abs(seen.series)))
    unit = LOG_UNIT * (typical or float(np.abs(seen.series).mean())) or 1.0
    seen = seen.through(lambda load: to_log(load, unit)) if logarithmic else seen
    fits = [_fit_step(seen, int(step)) for step in knots(horizon)]
    between = between_knots(horizon)
    weights = between @ np.array([each[1] for each in fits])
    columns = features.width(seen.seasons)
    lowest, highest = float(seen.series.min()), float(seen.series.max())
    return {
        "constant": between @ np.array([each[0] for each in fits]),
        "common": weights[:, :columns].astype(np.float32),
        "ahead": weights[:, columns:].astype(np.float32),
        "seasons": list(seen.seasons),
        "unit": unit,
        "bounds": [lowest - (highest - lowest), highest + (highest - lowest)],
        "most": highest + BEYOND,
    }


def _fit_step(seen: features.Scope, step: int) -> tuple[float, Floats]:
    origins = seen.origins(step)
    return regression(seen.rows(origins, np.full(origins.size, step)), seen.change(origins, step))


def regression(rows: Floats, target: Floats) -> tuple[float, Floats]:
    """Constant and weights of a ridge regression, fitted twice, the second time robustly."""
    from sklearn.linear_model import Ridge as Regressor

    centre, width = rows.mean(axis=0), rows.std(axis=0)
    width[width <= 1e-9 * width.max(initial=0.0)] = np.inf  # a column that never moves says nothing
    scaled = (rows - centre) / width
    expected = Regressor(alpha=PENALTY).fit(scaled, target).predict(scaled)
    reach = FAR * 1.4826 * float(np.median(np.abs(target - expected)))
    near = np.clip(target, expected - reach, expected + reach) if reach > 0.0 else target
    model = Regressor(alpha=PENALTY).fit(scaled, near)
    weights = np.asarray(model.coef_) / width
    return float(model.intercept_) - float(weights @ centre), weights
