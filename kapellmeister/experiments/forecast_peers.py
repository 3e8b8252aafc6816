"""Forecasters of statsforecast, set up as one who knows them would, to be held against."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.errors import MissingExtraError

Floats = NDArray[np.float64]
LAST_POINTS = 600
"""Points that AutoARIMA is fitted to: older ones add time and little else."""
SEASONS_S = (86_400.0, 7 * 86_400.0)
SEASONS_KEPT = 3
"""Longest seasons in what MSTL is fitted to."""
LEVELS = [80, 98]
"""The intervals that end at p90 and p99."""


def peers() -> tuple[AutoArima, MstlAutoArima]:
    """All of them, compiled. Raises MissingExtraError where statsforecast is not installed."""
    made = (AutoArima(), MstlAutoArima())
    made[0].fit(np.random.default_rng(1).normal(100.0, 10.0, 50), 60.0)(1)
    return made


@dataclass(frozen=True, slots=True)
class AutoArima:
    """ARIMA whose orders are found by the information criterion, without a season."""

    name = "autoarima"

    def fit(self, values: Floats, step_s: float) -> Callable[[int], Floats]:
        """Fit to the last 600 values."""
        del step_s
        model = _models().AutoARIMA(season_length=1)
        return _fitted(model, values[-LAST_POINTS:])


@dataclass(frozen=True, slots=True)
class MstlAutoArima:
    """Daily and weekly seasons taken out by loess, and AutoARIMA on the rest."""

    name = "mstl_autoarima"

    def fit(self, values: Floats, step_s: float) -> Callable[[int], Floats]:
        """Fit to three of the longest season that came twice; ValueError where none did."""
        seasons = [round(season_s / step_s) for season_s in SEASONS_S]
        seasons = [each for each in seasons if each > 1 and 2 * each <= values.size]
        if not seasons:
            raise ValueError("no season came twice in it")
        models = _models()
        rest = models.AutoARIMA(season_length=1)
        model = models.MSTL(season_length=seasons, trend_forecaster=rest)
        kept = max(SEASONS_KEPT * seasons[-1], LAST_POINTS)
        return _fitted(model, values[-kept:])


def _models() -> Any:
    try:
        return importlib.import_module("statsforecast.models")
    except ImportError as error:
        raise MissingExtraError("statsforecast", "bench") from error


def _fitted(model: Any, values: Floats) -> Callable[[int], Floats]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.ascontiguousarray(values))

    def quantiles(steps: int) -> Floats:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = model.predict(steps, level=LEVELS)
        return np.array([np.asarray(said[key]) for key in ("mean", "hi-80", "hi-98")])

    return quantiles
