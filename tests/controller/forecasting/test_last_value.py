"""The last value as a forecast, with an honest width."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.forecasting.forecaster import Forecaster
from controller.forecasting.last_value import LastValue
from policies.observation import Invalid, Missing, Stale, Value

GAP = Missing("no answer")


def fed(*loads) -> LastValue:
    """One reading a second from second 1 on; None is a gap."""
    forecaster = LastValue()
    for second, load in enumerate(loads, start=1):
        forecaster.update(float(second), GAP if load is None else Value(float(load)))
    return forecaster


def test_it_is_a_forecaster():
    assert isinstance(LastValue(), Forecaster)


@pytest.mark.parametrize("gap", [GAP, Stale(5.0, 2.0), Invalid("NaN")])
def test_before_the_first_value_nothing_is_said(gap):
    forecaster = LastValue()
    forecaster.update(1.0, gap)
    assert forecaster.predict(60.0, 1.0) is None


def test_a_load_that_never_moved_is_forecast_to_stay():
    forecast = fed(7, 7, 7).predict(10.0, 0.5)
    assert forecast.paths.shape == (200, 20)
    assert (forecast.paths == 7.0).all()
    assert (forecast.step_s, forecast.made_at_s) == (0.5, 3.0)


def test_the_median_stays_at_the_last_value_even_on_a_ramp():
    forecast = fed(*range(100, 150)).predict(20.0, 1.0)
    assert forecast.quantile(0.5, 20) == pytest.approx(149.0, abs=2.0)


def test_the_forecast_widens_with_the_square_root_of_time():
    forecast = fed(*[100, 101] * 100).predict(64.0, 1.0)
    spreads = [forecast.paths[:, step - 1].std() for step in (4, 16, 64)]
    assert spreads == pytest.approx([2.0, 4.0, 8.0], rel=0.2)


def test_a_gap_widens_the_forecast():
    loads = [100, 101, 99, 102] * 10
    before = fed(*loads).predict(4.0, 1.0)
    after = fed(*loads, *[None] * 32).predict(4.0, 1.0)
    assert after.made_at_s == 72.0
    assert after.paths[:, 0].std() > 3 * before.paths[:, 0].std()


def test_the_paths_are_joint_each_step_goes_on_from_the_one_before():
    paths = fed(*[10_000, 10_001] * 20).predict(50.0, 1.0).paths
    assert np.abs(np.diff(paths, axis=1)) == pytest.approx(1.0)


def test_it_calls_itself_calibrated_from_thirty_increments_on():
    assert not fed(*[1, 2] * 15).predict(1.0, 1.0).calibrated
    assert fed(*[1, 2] * 15, 1).predict(1.0, 1.0).calibrated


def test_the_same_readings_give_the_same_paths_also_after_a_restart():
    loads = [3, 5, None, 4, 8]
    again = LastValue()
    again.resume(json.loads(json.dumps(fed(*loads).saved())))
    expected = fed(*loads).predict(30.0, 1.0)
    assert np.array_equal(again.predict(30.0, 1.0).paths, expected.paths)


def test_another_seed_gives_other_paths():
    one, other = LastValue(seed=1), LastValue(seed=2)
    for forecaster in (one, other):
        for second, load in enumerate([3.0, 5.0, 4.0]):
            forecaster.update(float(second), Value(load))
    assert not np.array_equal(one.predict(9.0, 1.0).paths, other.predict(9.0, 1.0).paths)


def test_what_is_remembered_does_not_grow_without_bound():
    forecaster = fed(*[1, 2, 4] * 400)
    assert len(forecaster.saved()["increments"]) == 256


@given(st.lists(st.none() | st.floats(0.0, 1e9), min_size=1, max_size=40))
def test_no_readings_make_it_negative_or_nan(loads):
    forecast = fed(*loads).predict(10.0, 1.0)
    assert (forecast is None) == all(load is None for load in loads)
    if forecast is not None:
        assert np.isfinite(forecast.paths).all()
        assert (forecast.paths >= 0.0).all()
