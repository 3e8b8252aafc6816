"""Each member alone: what it expects of a load that it should understand."""

from __future__ import annotations

import json
import pickle
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from controller.forecasting.history import History
from controller.forecasting.members import arima, autoreg, features, kalman, seasons, smoothing
from controller.forecasting.members.boosting import Boosting, evaluate, fit_trees
from controller.forecasting.members.linear_filter import LAGS, LinearModel, huberised
from controller.forecasting.members.naive import Persistence, RecentMean
from controller.forecasting.members.ridge import Ridge
from controller.forecasting.members.seasonal_naive import FoundSeason, SeasonalNaive
from controller.forecasting.model import Model, Schedule


@pytest.fixture(autouse=True)
def one_thread():
    """As where fits really run."""
    with threadpool_limits(1):
        yield


HOUR_S, DAY_S = 3600.0, 86_400.0
NOISE = np.random.default_rng(1).standard_normal(800)
DAYS = 100.0 + 40.0 * np.sin(2.0 * np.pi * np.arange(800) / 24.0)


def history(values, step_s: float = HOUR_S) -> History:
    made = History(step_s, 2000)
    for value in values:
        made.append(None if value is None else float(value))
    return made


def fitted(model: Model, values, horizon: int = 12) -> Model:
    """After one fit, its task having gone to another process and back."""
    task = model.fit_task(history(values), horizon)
    model.fitted(pickle.loads(pickle.dumps(task)).run())
    return model


def walk() -> np.ndarray:
    return 100.0 + np.cumsum(NOISE)


def test_persistence_and_mean_say_what_they_are_called():
    past = history([1.0, 2.0, 6.0])
    assert Persistence().points(past, 2).load.tolist() == [6.0, 6.0]
    assert RecentMean("recent_mean", 3).points(past, 2).load.tolist() == [3.0, 3.0]
    assert RecentMean("recent_mean", 4).points(past, 2) is None


def test_a_history_marks_its_gaps_and_ends_in_a_known_value():
    past = history([1.0, None, None, 4.0, None])
    assert past.filled.tolist() == [1.0, 1.0, 1.0, 4.0]
    assert past.known.tolist() == [True, False, False, True]
    assert (past.gap, past.count, past.last) == (1, 5, 4.0)


def test_a_history_forgets_what_is_older_than_its_capacity():
    past = History(1.0, 10)
    for value in range(57):
        past.append(float(value))
    assert past.filled.tolist() == list(range(47, 57))
    again = History(1.0, 10)
    again.resume(json.loads(json.dumps(past.saved())))
    for each in (past, again):
        each.append(99.0)
    assert again.filled.tolist() == past.filled.tolist()


def test_a_season_is_continued_and_todays_difference_goes_along():
    model = SeasonalNaive("daily", DAY_S)
    assert model.points(history(DAYS[:100]), 12).load == pytest.approx(DAYS[100:112])
    higher = np.where(np.arange(160) >= 100, 1.0, 0.0) * 20.0 + DAYS[:160]
    model, past = SeasonalNaive("daily", DAY_S), history(higher[:125])
    assert model.points(past, 4).load[0] == pytest.approx(higher[125], abs=3.0)


def test_before_two_seasons_nothing_is_seasonal():
    assert SeasonalNaive("daily", DAY_S).points(history(DAYS[:48]), 12) is None
    assert SeasonalNaive("daily", DAY_S).points(history(DAYS[:49]), 12) is not None


def test_a_cell_unknown_yesterday_is_taken_from_the_day_before():
    values = list(DAYS[:100])
    values[76:84] = [None] * 8
    load = SeasonalNaive("daily", DAY_S).points(history(values), 8).load
    assert load == pytest.approx(DAYS[100:108], abs=1.0)


def test_a_season_is_found_in_the_data():
    wave = 100.0 + 30.0 * np.sin(2.0 * np.pi * np.arange(400) / 37.0) + 3.0 * NOISE[:400]
    assert seasons.found(wave, 10.0) == pytest.approx(370.0, abs=10.0)
    model = fitted(FoundSeason("found_season"), wave)
    assert model.points(history(wave), 5) is not None


@pytest.mark.parametrize("values", [NOISE, np.zeros(400), NOISE[:20]])
def test_where_there_is_no_season_none_is_found(values):
    assert seasons.found(values, 10.0) == 0.0


def test_the_seasons_of_the_calendar_need_two_of_them():
    assert seasons.calendar(HOUR_S, 47) == ()
    assert seasons.calendar(HOUR_S, 48) == (24,)
    assert seasons.calendar(HOUR_S, 336) == (24, 168)


def test_autoregression_forecasts_what_statsmodels_does():
    from statsmodels.tsa.ar_model import AutoReg

    values = huberised((walk() - 100.0) / 10.0)
    weights, constant = autoreg.fit(values, 12)
    theirs = AutoReg(values, autoreg.ORDER).fit().forecast(12)
    assert weights @ values[-LAGS:] + constant == pytest.approx(theirs)


def test_arima_forecasts_what_statsmodels_does():
    from statsmodels.tsa.arima.model import ARIMA

    values = walk()[:150] / 10.0
    weights, _ = arima.fit(values, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ARIMA(values, order=arima.ORDER).fit(method_kwargs={"maxiter": 50}).forecast(12)
    assert weights @ values[-LAGS:] == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize("fit", [smoothing.fit, kalman.fit])
def test_a_level_is_carried_over_and_a_trend_is_damped(fit):
    weights, _ = fit(np.concatenate((np.arange(100.0), walk()[:200])) / 10.0, 40)
    assert weights.sum(axis=1) == pytest.approx(np.ones(40), abs=0.02)
    ahead = weights @ np.arange(100.0)
    assert (np.diff(np.diff(ahead)) < 1e-9).all()
    assert ahead[-1] < 139.0


@pytest.mark.parametrize("fit", [autoreg.fit, arima.fit, smoothing.fit, kalman.fit])
def test_a_load_that_never_moves_is_forecast_to_stay(fit):
    model = fitted(LinearModel("linear", fit), [7.0] * 150)
    assert model.points(history([7.0] * 150), 12).load == pytest.approx([7.0] * 12)


def test_an_outlier_is_pulled_in_and_a_new_level_is_not():
    values = np.concatenate((NOISE[:50], [100.0], NOISE[50:100], 20.0 + NOISE[:50]))
    pulled = huberised(values)
    assert pulled[50] < 10.0
    assert pulled[101:] == pytest.approx(values[101:])


@pytest.mark.parametrize("logarithmic", [False, True])
def test_ridge_learns_days_with_another_slope(logarithmic):
    values = np.maximum(DAYS + 0.05 * np.arange(800) + NOISE, 0.0)
    model = fitted(Ridge("ridge", logarithmic), values[:700])
    expected = DAYS[700:712] + 0.05 * np.arange(700, 712)
    points = model.points(history(values[:700]), 12)
    assert points.load == pytest.approx(expected, abs=4.0)
    assert (points.scale is not None) == logarithmic


def test_ridge_is_not_led_astray_by_outliers():
    wild = np.where(np.arange(700) % 90 == 17, 5000.0, DAYS[:700] + NOISE[:700])
    load = fitted(Ridge("ridge"), wild).points(history(wild), 12).load
    assert load == pytest.approx(DAYS[700:712], abs=40.0)


def test_ridge_goes_no_further_beyond_what_it_saw_than_that_is_apart():
    """A slope that was steep for a while, and weights that a flat past leaves to chance."""
    steep = np.concatenate((np.full(300, 100.0), 100.0 * 1.05 ** np.arange(100)))
    load = fitted(Ridge("ridge"), steep, 60).points(history(steep), 60).load
    assert load.max() <= steep.max() + (steep.max() - steep.min())
    assert load.min() >= steep.min() - (steep.max() - steep.min())


def test_trees_say_here_what_scikit_learn_says():
    seen = features.Scope.to_fit(history(DAYS[:400] + NOISE[:400]), 12, 400)
    fit = fit_trees(seen, 12)
    origins = np.arange(250, 260)
    rows = seen.rows(origins, np.full(10, 3)) / fit["unit"]
    median, high = evaluate(fit, np.concatenate((rows, np.full((10, 1), 3.0)), axis=1))
    change = seen.change(origins, 3) / (fit["unit"] * np.sqrt(3.0))
    assert np.corrcoef(median, change)[0, 1] > 0.9
    assert (high >= median).mean() > 0.8


def test_a_regression_sees_the_same_when_it_is_fitted_and_when_it_forecasts():
    past = history(DAYS[:500] + NOISE[:500])
    fit, now = features.Scope.to_fit(past, 12, 100), features.Scope.of(past, (24, 168))
    steps = np.arange(1, 13)
    earlier = fit.rows(np.full(12, fit.series.size - 1), steps)
    later = now.rows(np.full(12, now.series.size - 1), steps)
    assert earlier == pytest.approx(later)
    assert features.width((24, 168)) == now.common(np.array([now.series.size - 1])).shape[1]


@pytest.mark.parametrize(
    "model",
    [Ridge("ridge"), Boosting("boosting"), FoundSeason("found_season"), SeasonalNaive("d", DAY_S)],
)
def test_a_fit_survives_in_what_is_saved(model):
    values = DAYS[:300] + NOISE[:300]
    if not isinstance(model, SeasonalNaive) or isinstance(model, FoundSeason):
        fitted(model, values)
    expected = model.points(history(values), 12)
    again = type(model)(model.name)
    again.resume(json.loads(json.dumps(model.saved())))
    found = again.points(history(values), 12)
    assert np.array_equal(found.load, expected.load)


def test_fits_come_thick_at_first_and_then_rarely():
    schedule = Schedule(first=100, most=500)
    begun = [count for count in range(6000) if schedule.begins(count)]
    assert begun[:4] == [100, 126, 158, 198]
    assert np.diff(begun)[-3:].tolist() == [500, 500, 500]


@pytest.mark.parametrize("member", [Ridge("ridge"), Boosting("boosting")])
def test_nothing_is_fitted_to_a_history_that_is_mostly_gaps(member):
    sparse = [float(k) if k % 50 == 0 else None for k in range(1500)]
    assert member.fit_task(history([*sparse, 1.0]), 24) is None
    assert member.fit_task(history(100.0 + np.tile(NOISE, 2)), 24) is not None


def test_a_load_of_two_values_by_turns_is_fitted_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        member = LinearModel("autoreg", autoreg.fit)
        task = member.fit_task(history(np.tile([10.0, 20.0], 300)), 12)
        assert task is not None
        member.fitted(task.run())
    expected = member.points(history(np.tile([10.0, 20.0], 300)), 12)
    assert expected.load == pytest.approx(np.tile([10.0, 20.0], 6), abs=1.0)
