"""The ensemble: honest whatever comes, and better than its members."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import plugins
from controller.forecasting.catalogue import ensemble
from controller.forecasting.ensemble.ensemble import Ensemble
from controller.forecasting.forecaster import Forecaster
from controller.forecasting.members.naive import Persistence, RecentMean
from controller.forecasting.members.seasonal_naive import SeasonalNaive
from policies.observation import Invalid, Missing, Stale, Value

GAP = Missing("no answer")
NOISE = np.random.default_rng(2).standard_normal(1000)
STEP_S, HORIZON_S = 60.0, 480.0


def simple() -> Ensemble:
    return Ensemble(lambda: [Persistence(), RecentMean("recent_mean", 6)])


def feed(forecaster, loads, first=0):
    """One reading a minute, None for a gap; the forecast after the last one."""
    for minute, load in enumerate(loads, start=first):
        forecaster.update(STEP_S * minute, GAP if load is None else Value(float(load)))
        if minute == 0:
            forecaster.predict(HORIZON_S, STEP_S)
    return forecaster.predict(HORIZON_S, STEP_S)


def taught(loads):
    forecaster = simple()
    feed(forecaster, loads)
    return forecaster.saved()


@pytest.mark.parametrize("name", plugins.names("forecasters"))
def test_each_can_be_chosen_by_name(name):
    made = plugins.make("forecasters", name, ("name", "update", "predict", "fit_task", "fitted"))
    assert isinstance(made, Forecaster)
    assert made.name == name
    assert made.predict(60.0, 1.0) is None
    made.update(1.0, Value(5.0))
    assert made.predict(60.0, 1.0).paths.shape[1] == 60


@pytest.mark.parametrize("gap", [GAP, Stale(5.0, 2.0), Invalid("NaN")])
def test_before_the_first_value_nothing_is_said(gap):
    forecaster = simple()
    forecaster.update(1.0, gap)
    assert forecaster.predict(60.0, 1.0) is None


def test_a_few_readings_give_last_value_with_a_wide_band():
    two, many = feed(simple(), [100.0] * 2), feed(simple(), [100.0] * 30)
    assert two.quantile(0.5, 1) == pytest.approx(100.0, rel=0.05)
    assert two.quantile(0.99, 8) > 150.0
    assert two.quantile(0.99, 8) > many.quantile(0.99, 8)
    assert not two.calibrated


def test_it_calls_itself_calibrated_after_a_hundred_forecasts_came_true_or_not():
    assert not feed(simple(), 100.0 + NOISE[:107]).calibrated
    assert feed(simple(), 100.0 + NOISE[:108]).calibrated


def test_a_load_that_never_moves_is_forecast_to_stay():
    assert feed(simple(), [7.0] * 200).paths == pytest.approx(7.0)


def test_the_width_follows_the_noise():
    narrow, wide = (feed(simple(), 100.0 + size * NOISE[:160]) for size in (1.0, 10.0))
    for forecast, size in ((narrow, 1.0), (wide, 10.0)):
        assert forecast.quantile(0.9, 4) - forecast.quantile(0.1, 4) == pytest.approx(
            2.56 * size, rel=0.45
        )


def test_stated_quantiles_are_kept_also_that_of_the_peak():
    loads = 100.0 + 10.0 * np.sin(np.arange(600) / 9.0) + 3.0 * NOISE[:600]
    forecaster, single, peak = simple(), [], []
    for minute in range(592):
        forecast = feed(forecaster, loads[minute : minute + 1], first=minute)
        if minute >= 200:
            single.append(loads[minute + 4] <= forecast.quantile(0.9, 4))
            highest = loads[minute + 1 : minute + 9].max()
            peak.append(highest <= forecast.peak_quantile(0.9, 8))
    assert np.mean(single) == pytest.approx(0.9, abs=0.03)
    assert np.mean(peak) == pytest.approx(0.9, abs=0.05)


def test_after_a_step_of_five_sigma_coverage_is_soon_back():
    covered = []
    for seed in range(2):
        loads = 100.0 + np.random.default_rng(seed).standard_normal(230)
        loads[180:] += 5.0
        forecaster = simple()
        feed(forecaster, loads[:200])
        for minute in range(200, 229):
            forecast = feed(forecaster, loads[minute : minute + 1], first=minute)
            covered.append(loads[minute + 1] <= forecast.quantile(0.9, 1))
    assert np.mean(covered) > 0.8


def test_a_gap_is_never_a_zero_and_widens_the_forecast():
    before = feed(simple(), 100.0 + NOISE[:200])
    after = feed(simple(), [*(100.0 + NOISE[:200]), *[None] * 40])
    assert after.quantile(0.5, 1) == pytest.approx(before.quantile(0.5, 8), abs=1.0)
    assert after.quantile(0.9, 4) > before.quantile(0.9, 4)
    assert after.made_at_s == 239 * STEP_S


def test_after_an_outage_with_zeros_it_comes_back():
    loads = [*(100.0 + NOISE[:200]), *[0.0] * 20, *(100.0 + NOISE[200:240])]
    assert feed(simple(), loads).quantile(0.5, 4) == pytest.approx(100.0, abs=2.0)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scale_changes_nothing(scale):
    here = feed(simple(), 1.0 + 0.1 * NOISE[:150])
    there = feed(simple(), scale * (1.0 + 0.1 * NOISE[:150]))
    assert there.quantile(0.9, 5) / scale == pytest.approx(here.quantile(0.9, 5), rel=1e-6)


def test_what_comes_later_changes_nothing_that_was_said_before():
    loads = 100.0 + np.cumsum(NOISE[:160])
    shuffled = np.concatenate((loads[:120], np.random.default_rng(3).permutation(loads[120:])))
    one, other = simple(), simple()
    said = [feed(one, loads[k : k + 1], first=k) for k in range(120)]
    again = [feed(other, shuffled[k : k + 1], first=k) for k in range(120)]
    feed(one, loads[120:], first=120)
    feed(other, shuffled[120:], first=120)
    assert all(np.array_equal(a.paths, b.paths) for a, b in zip(said, again, strict=True))


def test_readings_faster_than_the_step_are_averaged():
    forecaster = simple()
    for tick in range(900):
        forecaster.update(6.0 * tick, Value(100.0 + (10.0 if tick % 2 else -10.0)))
        forecast = forecaster.predict(HORIZON_S, STEP_S) if tick % 10 == 0 else None
        assert forecast is None or forecast.step_s == STEP_S
    last = forecaster.predict(HORIZON_S, STEP_S)
    assert last.quantile(0.95, 8) - last.quantile(0.05, 8) < 1.0


def test_who_asks_for_less_gets_the_beginning_and_who_asks_for_more_a_new_one():
    forecaster = simple()
    longest = feed(forecaster, 100.0 + NOISE[:200])
    shorter = forecaster.predict(HORIZON_S / 2.0, STEP_S)
    assert np.array_equal(shorter.paths, longest.paths[:, :4])
    farther = forecaster.predict(2.0 * HORIZON_S, STEP_S)
    assert farther.paths.shape == (1000, 16)
    assert farther.quantile(0.5, 16) == pytest.approx(100.0, abs=2.0)


def test_readings_before_the_first_forecast_are_not_lost():
    forecaster = simple()
    for minute in range(300):
        forecaster.update(STEP_S * minute, Value(100.0 + NOISE[minute]))
    assert forecaster.predict(HORIZON_S, STEP_S).calibrated


def test_a_season_wins_where_there_is_one():
    day = 86_400.0 / 48
    loads = 100.0 + 50.0 * np.sin(2.0 * np.pi * np.arange(240) / 48.0) + NOISE[:240]
    forecaster = Ensemble(lambda: [Persistence(), SeasonalNaive("daily", 86_400.0)])
    for slot in range(239):
        forecaster.update(day * slot, Value(float(loads[slot])))
        forecast = forecaster.predict(12 * day, day)
    expected = 100.0 + 50.0 * np.sin(2.0 * np.pi * np.arange(239, 251) / 48.0)
    median = [forecast.quantile(0.5, step) for step in range(1, 13)]
    assert median == pytest.approx(expected, abs=3.0)


LEARNED = json.loads(json.dumps(taught(5.0 + np.abs(NOISE[:60]))))
READINGS = st.lists(
    st.tuples(
        st.sampled_from([60.0, 60.0, 60.0, 1.0, 600.0, 1e9, 0.0, -300.0]),
        st.none() | st.floats(0.0, 1e300) | st.floats(0.0, 10.0),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=12, deadline=None)
@given(READINGS)
def test_whatever_comes_the_forecast_is_finite_and_a_restart_changes_nothing(readings):
    forecaster = simple()
    forecaster.resume(LEARNED)
    time_s = 60.0 * 59
    for apart_s, load in readings:
        time_s += apart_s
        forecaster.update(time_s, GAP if load is None else Value(load))
        paths = forecaster.predict(HORIZON_S, STEP_S).paths
        assert np.isfinite(paths).all()
        assert (paths >= 0.0).all()
    again = simple()
    again.resume(json.loads(json.dumps(forecaster.saved(), allow_nan=False)))
    for each in (forecaster, again):
        feed(each, [6.0, 7.0, None, 8.0], first=round(time_s / STEP_S) + 1)
    found, expected = (each.predict(HORIZON_S, STEP_S) for each in (again, forecaster))
    assert np.array_equal(found.paths, expected.paths)


WAVE = 100.0 + 20.0 * np.sin(np.arange(220) / 5.0) + NOISE[:220]


@pytest.fixture(scope="module")
def grown() -> str:
    """The saved state of an ensemble of all members for which many fits are due."""
    forecaster = ensemble()
    feed(forecaster, WAVE[:205])
    return json.dumps(forecaster.saved(), allow_nan=False)


def test_all_members_together_go_on_from_what_was_saved_with_their_fits(grown):
    forecaster, again = ensemble(), ensemble()
    forecaster.resume(json.loads(grown))
    while (task := forecaster.fit_task()) is not None:
        if task.model != "boosting":
            forecaster.fitted(task.run())
    feed(forecaster, WAVE[205:212], first=205)
    again.resume(json.loads(json.dumps(forecaster.saved(), allow_nan=False)))
    here, there = (feed(each, WAVE[212:], first=212) for each in (forecaster, again))
    assert np.array_equal(here.paths, there.paths)
    assert np.isfinite(here.paths).all()


def test_a_fit_that_never_comes_back_holds_nobody_up(grown):
    forecaster = ensemble()
    forecaster.resume(json.loads(grown))
    asked = []
    while (task := forecaster.fit_task()) is not None:
        asked.append(task.model)
    assert {"autoreg", "arima", "ridge", "log_ridge", "boosting"} <= set(asked)
    assert np.isfinite(feed(forecaster, WAVE[205:215], first=205).paths).all()


def test_the_control_process_never_loads_what_only_fits_need():
    script = """
import sys
from controller.forecasting.catalogue import ensemble
from policies.observation import Value
forecaster = ensemble()
for minute in range(150):
    forecaster.update(60.0 * minute, Value(float(minute % 7)))
    forecaster.predict(240.0, 60.0)
    forecaster.fit_task()
print({"statsmodels", "sklearn", "pandas"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_the_same_readings_give_the_same_paths_and_another_seed_others():
    same = [feed(simple(), 100.0 + NOISE[:50]).paths for _ in range(2)]
    seeded = partial(Ensemble, lambda: [Persistence(), RecentMean("recent_mean", 6)])
    other = feed(seeded(seed=1), 100.0 + NOISE[:50]).paths
    assert np.array_equal(*same)
    assert not np.array_equal(same[0], other)
