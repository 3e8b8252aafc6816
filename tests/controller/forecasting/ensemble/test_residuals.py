"""Quantiles of what forecasts were off by."""

from __future__ import annotations

import json

import numpy as np
import pytest

from controller.forecasting.ensemble.curves import HIGH, LEVELS, LOW, MEDIAN
from controller.forecasting.ensemble.residuals import RollingResiduals


def taught(values, kept: int = 400) -> RollingResiduals:
    residuals = RollingResiduals(1, kept=kept, groups=1)
    for value in values:
        residuals.add(np.array([value]))
    return residuals


def test_fewer_than_twenty_five_say_nothing():
    assert not taught(range(24)).known[0]
    assert taught(range(25)).known[0]


def test_a_quantile_is_read_at_rank_p_times_n_plus_one():
    quantiles = taught(range(1, 400)).quantiles[0]
    assert quantiles[MEDIAN] == pytest.approx(200.0)
    assert quantiles[HIGH] == pytest.approx(360.0)
    assert quantiles[LEVELS.index(0.99)] == pytest.approx(396.0)


def test_only_the_last_ones_count():
    assert taught([*[1000.0] * 300, *range(100)], kept=100).quantiles[0, MEDIAN] < 100.0


def test_an_outlier_is_kept_and_widens_the_tail():
    calm = np.random.default_rng(1).standard_normal(400)
    wild = np.where(np.arange(400) % 80 == 0, 20.0, calm)
    assert taught(wild).quantiles[0, -1] > 2.0 * taught(calm).quantiles[0, -1]
    assert taught(wild).quantiles[0, MEDIAN] == pytest.approx(0.0, abs=0.2)


def test_the_tail_beyond_the_last_residual_follows_the_outermost_tenth():
    draws = np.random.default_rng(2).exponential(1.0, 400)
    assert taught(draws).quantiles[0, -1] == pytest.approx(np.log(1000.0), rel=0.35)


def test_quantiles_ascend_and_errors_that_never_vary_have_no_width():
    quantiles = taught(np.random.default_rng(3).standard_cauchy(60)).quantiles[0]
    assert (np.diff(quantiles) >= 0.0).all()
    assert (taught([2.0] * 50).quantiles[0] == 2.0).all()
    assert quantiles[LOW] < quantiles[MEDIAN] < quantiles[HIGH]


def test_what_never_came_is_left_out():
    residuals = RollingResiduals(2, groups=1)
    for value in range(30):
        residuals.add(np.array([value, np.nan]))
    assert residuals.known.tolist() == [True, False]
    assert residuals.count.tolist() == [30, 0]


def test_it_goes_on_from_what_it_saved():
    residuals, again = taught(range(50)), RollingResiduals(1, groups=1)
    again.resume(json.loads(json.dumps(residuals.saved())))
    for each in (residuals, again):
        each.add(np.array([99.0]))
    assert np.array_equal(again.quantiles, residuals.quantiles)
