"""Headroom is learned from peaks that came."""

from __future__ import annotations

import json

import numpy as np
import pytest

from policies.conductor.peaks import PeakErrors, Peaks
from policies.conductor.sizing.headroom import Headroom
from policies.forecast import Forecast

WINDOW_S = 150.0


def forecast(median=100.0, high=110.0, *, calibrated=True):
    """Peaks of which half are at most `median`, and a tenth above `high`."""
    peaks = np.interp(np.linspace(0, 1, 101), [0, 0.5, 0.9, 1], [median, median, high, high])
    return Forecast(np.tile(peaks[:, None], (1, 10)), 15.0, 0.0, "fixed", calibrated)


def lived(loads, foretold=None, headroom=None):
    """Headroom after these loads, 15 s apart, each with what `foretold` says at it."""
    headroom = headroom or Headroom()
    for k, load in enumerate(loads):
        headroom.see(15.0 * k, load)
        if load is not None:
            headroom.expect(None if foretold is None else foretold(k), load, WINDOW_S)
    return headroom


def test_a_load_of_which_nothing_is_known_is_expected_to_stay_and_to_vary_by_five_percent():
    headroom = Headroom()
    headroom.see(0.0, 1000.0)
    peaks = headroom.expect(None, 1000.0, WINDOW_S)
    assert peaks.quantile(0.5) == 1000.0
    assert peaks.probabilities[peaks.loads >= 1049.0].sum() == pytest.approx(0.4)
    assert peaks.probabilities[peaks.loads > 1051.0].sum() == pytest.approx(0.1)
    assert peaks.loads.max() == pytest.approx(1500.0)


def test_what_is_believed_of_the_tail_goes_with_the_width_of_what_was_seen():
    """After half an hour, in which no tail shows."""
    calm = lived([101.0, 101.0, 102.0] * 40).expect(None, 100.0, WINDOW_S)
    wild = lived([101.0, 150.0, 102.0] * 40).expect(None, 100.0, WINDOW_S)
    assert calm.loads.max() < 140.0
    assert wild.loads.max() > 400.0


BUSY = np.tile([100.0] * 30 + [300.0] * 10, 50)
"""A load that trebles every ten minutes."""


def clairvoyant(k):
    """A forecast that knows the peak of the next ten loads."""
    peak = BUSY[k : k + 11].max() if k < BUSY.size else 100.0
    return forecast(peak, 1.05 * peak)


def guessing(k):
    """A forecast that knows nothing, and is sure of it."""
    median = 1000.0 + 400.0 * np.random.default_rng(k).random()
    return forecast(median, 1.05 * median)


def test_a_forecast_that_loses_less_than_persistence_is_believed():
    headroom = lived(BUSY, clairvoyant)
    quiet = headroom.expect(forecast(100.0, 105.0), 100.0, WINDOW_S)
    busy = headroom.expect(forecast(300.0, 315.0), 100.0, WINDOW_S)
    assert quiet.quantile(0.9) == pytest.approx(100.0, rel=0.05)
    assert busy.quantile(0.9) == pytest.approx(300.0, rel=0.05)


def test_a_forecast_that_is_worse_than_persistence_is_not_believed():
    loads = 1000.0 + np.random.default_rng(1).normal(0.0, 10.0, 500)
    foretold = lived(loads, guessing).expect(forecast(1500.0, 1600.0), 1000.0, WINDOW_S)
    alone = lived(loads).expect(None, 1000.0, WINDOW_S)
    assert foretold.loads.tolist() == alone.loads.tolist()
    assert foretold.probabilities.tolist() == alone.probabilities.tolist()


def test_a_forecast_that_does_not_know_its_spread_says_nothing():
    headroom = lived(BUSY, lambda k: forecast(1000.0, 2000.0, calibrated=False))
    assert headroom.errors["forecast"] == PeakErrors()
    assert headroom.errors["persistence"] == lived(BUSY).errors["persistence"]


def test_peaks_that_come_out_higher_are_expected_higher():
    calm = lived([100.0] * 4000).expect(None, 100.0, WINDOW_S)
    rough = lived([100.0, 100.0, 100.0, 160.0] * 1000).expect(None, 100.0, WINDOW_S)
    assert calm.quantile(0.9) == pytest.approx(100.0, rel=0.02)
    assert rough.quantile(0.5) == pytest.approx(160.0, rel=0.06)  # as wide as a bin


def test_a_load_that_varies_more_of_late_is_expected_to_go_on_so():
    rng = np.random.default_rng(1)
    headroom = lived(1000.0 + rng.normal(0.0, 10.0, 2000))
    calm = headroom.expect(None, 1000.0, WINDOW_S).quantile(0.99)
    for k in range(2000, 2200):
        headroom.see(15.0 * k, 1000.0 + rng.normal(0.0, 50.0))
    assert headroom.expect(None, 1000.0, WINDOW_S).quantile(0.99) > calm + 50.0


def test_no_less_is_expected_than_the_load_that_is():
    headroom = lived(BUSY, clairvoyant)
    headroom.see(15.0 * BUSY.size, 150.0)
    assert headroom.expect(forecast(), 150.0, WINDOW_S).loads.min() == 150.0


def test_a_gap_teaches_nothing():
    with_gap = lived([100.0, None, 180.0, None] * 100)
    assert with_gap.errors["persistence"] == PeakErrors()
    assert with_gap.windows == []
    assert with_gap.variance == lived([100.0]).variance


def test_a_surge_is_expected_to_go_on_at_its_pace_and_to_treble_at_most():
    headroom = lived([100.0] * 4)
    headroom.see(60.0, 400.0)
    assert headroom.expect(None, 400.0, WINDOW_S).quantile(0.5) == pytest.approx(1000.0, rel=0.05)
    later = lived([100.0] * 6)
    later.see(120.0, 400.0)
    assert later.expect(None, 400.0, WINDOW_S).quantile(0.5) == pytest.approx(775.0, rel=0.05)


def test_what_was_learned_survives_as_plain_json():
    headroom = lived(BUSY, clairvoyant)
    recalled = Headroom.recall(json.loads(json.dumps(headroom.plain())))
    assert recalled == headroom


def test_a_state_that_is_none_of_ours_is_a_fresh_start():
    assert Headroom.recall(None) == Headroom()
    assert Headroom.recall({"errors": {}}) == Headroom()


def test_a_clock_that_steps_back_ends_the_open_windows():
    headroom = lived([100.0] * 5)
    headroom.see(-1000.0, 100.0)
    assert headroom.windows == []


def test_what_a_window_learned_counts_half_three_days_later():
    headroom = lived([100.0] * 20)
    (bin_, early), *_ = headroom.errors["persistence"].counts.items()
    headroom.see(300.0 - 15.0 + 3 * 86_400.0, 100.0)
    assert headroom.weight == pytest.approx(2.0, rel=0.01)
    assert headroom.errors["persistence"].counts[bin_] >= early


def test_the_quantile_of_peaks_is_the_load_that_so_few_exceed():
    peaks = Peaks(np.array([30.0, 10.0, 20.0]), np.array([0.1, 0.6, 0.3]))
    assert [peaks.quantile(p) for p in (0.5, 0.6, 0.89, 0.99)] == [10.0, 10.0, 20.0, 30.0]


@pytest.mark.parametrize("elapsed_s", [-1e9, 1e6, 1e9, 1e12])
def test_a_leap_of_the_clock_breaks_nothing(elapsed_s):
    headroom = lived(BUSY, clairvoyant)
    headroom.see(headroom.now_s + elapsed_s, 100.0)
    assert np.isfinite(headroom.expect(forecast(), 100.0, WINDOW_S).loads).all()


def test_what_was_learned_near_no_load_says_nothing_absurd_of_a_larger_one():
    headroom = lived([0.0] * 2000 + [1000.0] * 40)
    peaks = headroom.expect(None, 1000.0, WINDOW_S)
    assert peaks.loads.max() <= 10_000.0
    assert peaks.loads @ peaks.probabilities < 1100.0


def test_an_absurd_forecast_is_taken_for_ten_times_what_was_seen():
    headroom = Headroom()
    headroom.see(0.0, 100.0)
    peaks = headroom.expect(forecast(1e308, 1.5e308), 100.0, WINDOW_S)
    assert peaks.loads.max() == 1000.0


def test_what_is_believed_goes_with_how_often_peaks_are_seen():
    """At intervals of a minute as soon as at those of a quarter: after so many seconds."""

    def half_known_after_s(interval_s):
        headroom = Headroom()
        for k in range(1000):
            headroom.see(interval_s * k, 100.0)
            peaks = headroom.expect(None, 100.0, WINDOW_S)
            if peaks.probabilities[peaks.loads > 101.0].sum() < 0.2:
                return interval_s * k
        raise AssertionError("the prior was never outweighed")

    assert half_known_after_s(60.0) == pytest.approx(half_known_after_s(15.0), rel=0.2)


def test_to_recall_a_state_and_go_on_leaves_that_state_alone():
    state = lived(BUSY, clairvoyant).plain()
    before = json.dumps(state)
    lived(BUSY, clairvoyant, Headroom.recall(state))
    assert json.dumps(state) == before


@pytest.mark.parametrize("field", ["errors", "windows"])
def test_a_state_that_was_damaged_is_a_fresh_start(field):
    assert Headroom.recall({**lived([100.0] * 20).plain(), field: None}) == Headroom()
