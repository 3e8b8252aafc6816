"""Losses and coverages of forecasts, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from policies.forecast import Forecast
from simulators.backtest.figures import Cost, Played, model_figures
from simulators.backtest.scores import Actuals, Score, Stated

COST = Cost(fit_s=(), predict_s=(0.001,), cpu_s=0.01, updates=10)


def score(quantiles, actual, known=None, naive_error=1.0):
    """One origin; quantiles of shape (3, steps)."""
    actual = np.array([actual], float)
    seen = np.ones(actual.shape, bool) if known is None else np.array([known])
    stated = Stated.of_quantiles([np.array(quantiles, float)], (actual.shape[1],))
    return Score.of(Actuals(actual, seen, naive_error), stated, 0, actual.shape[1])


def test_the_loss_is_twice_the_mean_pinball_loss_per_load():
    """100 came: p50 said 90 (pinball 5), p90 120 (2), p99 130 (0.3)."""
    assert score([[90], [120], [130]], [100]).wql == pytest.approx(2 * 7.3 / 3 / 100)


def test_a_quantile_that_was_passed_costs_more_the_higher_it_is():
    """100 came, and all three said 90: 5, 9 and 9.9."""
    assert score([[90], [90], [90]], [100]).wql == pytest.approx(2 * 23.9 / 3 / 100)


def test_a_load_that_was_not_recorded_counts_for_nothing():
    whole = score([[90], [120], [130]], [100])
    with_gap = score([[90, 5], [120, 5], [130, 5]], [100, 0], known=[True, False])
    assert with_gap == whole


def test_no_load_at_all_has_no_relative_loss():
    assert score([[1], [1], [1]], [0]).wql is None


def test_the_scaled_error_is_that_of_the_median_per_usual_move_of_the_load():
    told = score([[90, 104], [120, 120], [130, 130]], [100, 100])
    assert told.mase(2.0) == pytest.approx((10 + 4) / 2 / 2.0)
    assert told.mase(0.0) is None


def test_coverage_counts_what_stayed_within_and_scores_add_up():
    within = score([[90, 90], [100, 99], [101, 101]], [100, 100])
    assert within.coverage() == {"coverage_p90": 0.5, "coverage_p99": 1.0}
    beyond = score([[90, 90], [91, 91], [92, 92]], [100, 100])
    assert (within + beyond).coverage() == {"coverage_p90": 0.25, "coverage_p99": 0.5}


def test_the_peak_is_that_of_whole_paths_not_of_steps():
    """Each path peaks at 10 somewhere, while each step alone has its p90 at 10 and p50 at 0."""
    paths = np.eye(4)[:, :4] * 10.0
    stated = Stated.of([Forecast(paths, 1.0, 0.0, "m")], np.ones((1, 4), bool), (4,))
    assert stated.peaks.tolist() == [[[10.0, 10.0]]]
    assert stated.quantiles[0, 0].tolist() == [0.0] * 4
    truth = Actuals(np.array([[1.0, 2.0, 9.5, 1.0]]), np.ones((1, 4), bool), 1.0)
    assert Score.of(truth, stated, 0, 4).coverage()["peak_coverage_p90"] == 1.0


def test_the_peak_within_a_gap_is_not_asked_for():
    paths = np.array([[1.0, 50.0], [2.0, 50.0]])
    stated = Stated.of([Forecast(paths, 1.0, 0.0, "m")], np.array([[True, False]]), (2,))
    assert stated.peaks[0, 0] == pytest.approx([1.9, 1.99])


def played(*losses):
    """A forecaster with these losses at one step on traces a, b, and so on."""
    return {
        name: Played({1: Score(1, loss / 2, 1.0, 1.0, (1, 1), 0, (0, 0))}, 1.0, COST)
        for name, loss in zip("abc", losses, strict=False)
    }


def test_traces_are_taken_together_by_the_geometric_mean_and_the_worst_is_named():
    figures = model_figures(played(0.1, 0.8), played(0.2, 0.2), (1,))
    assert figures.relative_wql == pytest.approx(2**0.5)
    assert (figures.worst_trace, figures.worst_relative_wql) == ("b", pytest.approx(4.0))
    assert (figures.cpu_ms, figures.predict_ms, figures.fit_s) == (1.0, 1.0, 0.0)


def test_a_trace_where_it_failed_is_left_out_and_said():
    broken = played(0.1) | {"b": Played(error="raised ValueError('no')")}
    figures = model_figures(broken, played(0.2, 0.2), (1,))
    assert (figures.traces, figures.relative_wql) == (1, pytest.approx(0.5))
    assert figures.error == "b: raised ValueError('no')"


def test_one_that_failed_everywhere_has_no_figures():
    figures = model_figures({"a": Played(error="hung")}, played(0.2), (1,))
    assert (figures.traces, figures.wql, figures.coverage_p90) == (0, None, None)
