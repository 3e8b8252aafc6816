"""Gradient-boosted quantiles of the change to come."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.forecaster import FitTask
from controller.forecasting.history import Floats, History
from controller.forecasting.members import features
from controller.forecasting.model import Fitted, Points, Schedule, between_knots, knots

CASES = 8000
"""Past cells that a fit draws from."""
ROWS = 4000
"""Pairs of a cell and a step ahead that it draws."""
TREES = 60
DEPTH = 3
NODES = 2 ** (DEPTH + 1) - 1
RATE = 0.1
QUANTILES = (0.5, 0.9)
LEAST_WIDTH = 0.05
"""Part of the usual change below which a 90 % quantile is taken for an accident."""


class Boosting(Fitted):
    """Trees for all steps ahead at once, in units of the usual change over so many steps.

    The distance from the median to the 90 % quantile is the width that is usual now.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(Schedule(first=200, growth=1.5, most=2000))

    def points(self, history: History, horizon: int) -> Points | None:
        """The medians and widths at the knots, interpolated; None before the first fit."""
        fit = self.parameters
        if fit is None:
            return None
        seen, steps = features.Scope.of(history, tuple(fit["seasons"])), knots(horizon)
        now = np.full(steps.size, seen.series.size - 1)
        unit = fit["unit"] * np.sqrt(steps)
        median, high = unit * evaluate(fit, _columns(seen, now, steps, fit["unit"]))
        width = np.maximum(high - median, LEAST_WIDTH * unit)
        between = between_knots(horizon)
        return Points(seen.series[-1] + between @ median, between @ width)

    def fit_task(self, history: History, horizon: int) -> FitTask | None:
        """A fit on the last cases, once there are enough."""
        if not self.schedule.is_due(history.count):
            return None
        seen = features.Scope.to_fit(history, horizon, CASES)
        if seen is None or not self.schedule.begins(history.count):
            return None
        return FitTask(self.name, fit_trees, (seen, horizon))


def _columns(
    seen: features.Scope, origins: features.Cells, steps: features.Cells, unit: float
) -> Floats:
    rows = seen.rows(origins, steps) / unit
    return np.concatenate((rows, steps[:, None]), axis=1)


def fit_trees(seen: features.Scope, horizon: int) -> dict[str, Any]:
    """The trees of each quantile, as arrays with one row a tree."""
    from sklearn.ensemble import GradientBoostingRegressor

    changes = np.abs(np.diff(seen.series))
    unit = 1.4826 * float(np.median(changes)) or float(changes.std()) or 1.0
    generator = np.random.default_rng(0)
    origins = generator.choice(seen.origins(horizon), size=ROWS)
    steps = generator.choice(knots(horizon), size=ROWS)
    known = seen.known[origins + steps]
    origins, steps = origins[known], steps[known]
    rows = _columns(seen, origins, steps, unit)
    target = seen.change(origins, steps) / (unit * np.sqrt(steps))
    found = [
        GradientBoostingRegressor(
            loss="quantile",
            alpha=quantile,
            n_estimators=TREES,
            max_depth=DEPTH,
            learning_rate=RATE,
            subsample=0.5,
            min_samples_leaf=20,
            max_features=0.3,
            random_state=0,
        ).fit(rows, target)
        for quantile in QUANTILES
    ]
    trees = [_arrays(each.tree_) for model in found for each in model.estimators_[:, 0]]
    base = np.array([float(np.ravel(each.init_.constant_)[0]) for each in found])
    together = {name: np.array([each[name] for each in trees]) for name in trees[0]}
    return {**together, "base": base, "seasons": list(seen.seasons), "unit": unit}


def _arrays(tree: Any) -> dict[str, NDArray[Any]]:
    """A tree as arrays of `NODES` entries; from a leaf both ways lead to itself."""
    count, here = tree.node_count, np.arange(NODES)
    leaf = tree.children_left < 0
    arrays: dict[str, NDArray[Any]] = {
        "feature": np.zeros(NODES, np.int8),
        "threshold": np.zeros(NODES, np.float32),
        "left": here.astype(np.int8),
        "right": here.astype(np.int8),
        "value": np.zeros(NODES, np.float32),
    }
    arrays["feature"][:count] = np.where(leaf, 0, tree.feature)
    arrays["threshold"][:count] = np.where(leaf, 0.0, tree.threshold)
    arrays["left"][:count] = np.where(leaf, here[:count], tree.children_left)
    arrays["right"][:count] = np.where(leaf, here[:count], tree.children_right)
    arrays["value"][:count] = tree.value[:, 0, 0]
    return arrays


def evaluate(fit: dict[str, Any], rows: Floats) -> Floats:
    """The quantiles that the trees give each row, shape (QUANTILES, rows)."""
    trees = np.arange(len(fit["value"]))[:, None]
    row = np.arange(len(rows))[None, :]
    node = np.zeros((trees.size, row.size), np.int64)
    for _ in range(DEPTH):
        low = rows[row, fit["feature"][trees, node]] <= fit["threshold"][trees, node]
        node = np.where(low, fit["left"][trees, node], fit["right"][trees, node])
    values = fit["value"][trees, node].reshape(len(QUANTILES), -1, row.size)
    return np.asarray(fit["base"][:, None] + RATE * values.sum(axis=1))
