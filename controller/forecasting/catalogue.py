"""Which forecasters there are to choose from, and of which the ensemble is made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from controller.forecasting.ensemble.ensemble import Ensemble
from controller.forecasting.members import arima as arima_model
from controller.forecasting.members import autoreg as autoreg_model
from controller.forecasting.members import kalman as kalman_model
from controller.forecasting.members import smoothing as smoothing_model
from controller.forecasting.members.boosting import Boosting
from controller.forecasting.members.linear_filter import LinearModel
from controller.forecasting.members.naive import Persistence, RecentMean
from controller.forecasting.members.ridge import Ridge
from controller.forecasting.members.seasonal_naive import FoundSeason, SeasonalNaive
from controller.forecasting.members.seasons import DAY_S, WEEK_S
from controller.forecasting.model import Model


def seasonal_members() -> Sequence[Model]:
    """The seasons of the calendar, and one that the data shows."""
    return (
        SeasonalNaive("daily", DAY_S),
        SeasonalNaive("weekly", WEEK_S),
        FoundSeason("found_season"),
    )


def all_members() -> Sequence[Model]:
    """Last value first: it is what the others have to beat."""
    return (
        Persistence(),
        RecentMean("recent_mean", 6),
        RecentMean("longer_mean", 30),
        *seasonal_members(),
        LinearModel("autoreg", autoreg_model.fit),
        LinearModel("arima", arima_model.fit),
        Ridge("ridge"),
        Ridge("log_ridge", logarithmic=True),
        Boosting("boosting"),
    )


ensemble = partial(Ensemble, all_members, "ensemble")
"""All members, scored as they go."""
recent_mean = partial(Ensemble, lambda: [RecentMean("recent_mean", 6)], "recent_mean")
seasonal_naive = partial(Ensemble, seasonal_members, "seasonal_naive")
autoreg = partial(Ensemble, lambda: [LinearModel("autoreg", autoreg_model.fit)], "autoreg")
arima = partial(Ensemble, lambda: [LinearModel("arima", arima_model.fit)], "arima")
smoothing = partial(Ensemble, lambda: [LinearModel("smoothing", smoothing_model.fit)], "smoothing")
kalman = partial(Ensemble, lambda: [LinearModel("kalman", kalman_model.fit)], "kalman")
ridge = partial(Ensemble, lambda: [Ridge("ridge")], "ridge")
log_ridge = partial(Ensemble, lambda: [Ridge("log_ridge", logarithmic=True)], "log_ridge")
boosting = partial(Ensemble, lambda: [Boosting("boosting")], "boosting")
