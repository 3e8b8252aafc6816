"""Joint paths: right step by step, and right at their peak."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import spearmanr

from controller.forecasting.ensemble.curves import LEVELS, Curves
from controller.forecasting.ensemble.dependence import Dependence, Table, normal_scores
from controller.forecasting.ensemble.peaks import Peaks
from controller.forecasting.model import between_knots, knots

NORMAL = ndtri(LEVELS)


def learned(rows: np.ndarray) -> np.ndarray:
    """Ranks after these past errors, shape (samples, steps)."""
    dependence = Dependence(rows.shape[1], 1000, seed=0)
    for row in rows:
        dependence.add(row)
    return dependence.places % 1000


def test_knots_begin_with_the_next_step_and_end_at_the_horizon():
    assert knots(60).tolist() == [1, 2, 3, 6, 10, 19, 33, 60]
    assert knots(1).tolist() == [1]
    assert between_knots(60) @ knots(60) == pytest.approx(np.arange(1, 61))


def test_each_column_holds_every_rank_once():
    places = Dependence(5, 1000, seed=0).places
    assert np.sort(places, axis=0).tolist() == [
        [step * 1000 + rank for step in range(5)] for rank in range(1000)
    ]


def test_errors_that_ran_together_run_together_in_the_paths():
    common = np.random.default_rng(1).standard_normal((400, 1)) * np.ones((1, 8))
    apart = np.random.default_rng(1).standard_normal((400, 8))
    together, alone = learned(common), learned(apart)
    assert spearmanr(together[:, 0], together[:, 7]).statistic > 0.8
    assert abs(spearmanr(alone[:, 0], alone[:, 7]).statistic) < 0.2


def test_a_table_gives_back_the_quantiles_that_it_was_made_of():
    samples = Table.of(1000).fill(NORMAL[None])[0]
    assert np.quantile(samples, LEVELS) == pytest.approx(NORMAL, abs=0.01)


def test_a_value_on_a_quantile_has_its_normal_score():
    scores = normal_scores(0.0, np.array([NORMAL, NORMAL + 1.0]))
    assert scores == pytest.approx([0.0, -1.0], abs=0.05)


def test_after_a_gap_the_curves_go_on_from_further_ahead_and_then_widen():
    curves = Curves(np.arange(1.0, 5.0), np.ones((4, 1)) * NORMAL)
    assert curves.quantiles(2)[:, 5] == pytest.approx([3.0, 4.0, 4.0, 4.0])
    assert curves.quantiles(12)[3, 7] == pytest.approx(4.0 + 2.0 * NORMAL[7])


def busy_hour(peaks: Peaks, rounds: int, spread: float) -> float:
    """The share of peaks above the 90 % quantile, at last; they vary more than was thought."""
    generator = np.random.default_rng(5)
    exceeded = []
    for turn in range(rounds):
        paths = peaks.corrected(generator.standard_normal((400, 4)))
        peaks.issue(paths, 10 * turn)
        loads = generator.standard_normal(4) * spread
        exceeded.append(loads.max() > np.quantile(paths.max(axis=1), 0.9))
        for step, load in enumerate(loads, start=1):
            peaks.learn(float(load), 10 * turn + step)
    return float(np.mean(exceeded[-400:]))


def test_peaks_that_are_exceeded_too_often_are_raised_until_they_are_not():
    assert busy_hour(Peaks(4), 900, spread=2.0) == pytest.approx(0.1, abs=0.03)


def test_peaks_that_keep_their_word_are_left_alone():
    peaks = Peaks(4)
    busy_hour(peaks, 400, spread=1.0)
    paths = np.random.default_rng(6).standard_normal((1000, 4))
    before = np.quantile(paths.max(axis=1), 0.99)
    after = np.quantile(peaks.corrected(paths.copy()).max(axis=1), 0.99)
    assert after == pytest.approx(before, rel=0.2)


def test_only_the_step_of_the_peak_is_moved():
    peaks = Peaks(4)
    busy_hour(peaks, 300, spread=2.0)
    paths = np.random.default_rng(7).standard_normal((1000, 4))
    moved = peaks.corrected(paths.copy())
    assert ((moved != paths).sum(axis=1) <= 2).all()


def test_a_gap_judges_no_peak():
    peaks = Peaks(4)
    peaks.issue(np.zeros((1000, 4)), 0)
    for cell, value in enumerate((None, 5.0, 5.0, 5.0), start=1):
        peaks.learn(value, cell)
    assert peaks.saved()[1] == []
    paths = np.random.default_rng(8).standard_normal((1000, 4))
    assert np.array_equal(peaks.corrected(paths.copy()), paths)


def test_dependence_and_peaks_go_on_from_what_they_saved():
    rows = np.random.default_rng(9).standard_normal((137, 4))
    dependence, again = Dependence(4, 1000, seed=3), Dependence(4, 1000, seed=3)
    for row in rows:
        dependence.add(row)
    again.resume(json.loads(json.dumps(dependence.saved())))
    assert np.array_equal(again.places, dependence.places)
    peaks, later = Peaks(4), Peaks(4)
    busy_hour(peaks, 50, spread=2.0)
    later.resume(json.loads(json.dumps(peaks.saved())))
    assert np.array_equal(later.corrected(rows.copy()), peaks.corrected(rows.copy()))
