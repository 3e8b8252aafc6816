"""The forecasters of statsforecast, as they are held against ours."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("statsforecast")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

from kapellmeister.experiments.forecast_peers import AutoArima, MstlAutoArima  # noqa: E402

HOUR_S = 3600.0


def day(hours):
    """A day's wave around a hundred, and noise of one."""
    noise = np.random.default_rng(1).standard_normal(hours)
    return 100.0 + 50.0 * np.sin(2 * np.pi * np.arange(hours) / 24) + noise


def test_autoarima_states_the_quantiles_of_white_noise():
    values = 100.0 + np.random.default_rng(1).standard_normal(600)
    median, p90, p99 = AutoArima().fit(values, HOUR_S)(3)
    assert median == pytest.approx([100.0] * 3, abs=0.5)
    assert p90 - median == pytest.approx([1.28] * 3, abs=0.15)
    assert p99 - median == pytest.approx([2.33] * 3, abs=0.25)


def test_with_its_seasons_taken_out_a_day_is_foreseen():
    values = day(24 * 22)
    median, p90, _ = MstlAutoArima().fit(values[: 24 * 21], HOUR_S)(24)
    assert np.abs(median - values[24 * 21 :]).max() < 8.0
    assert (p90 > median).all()


def test_without_a_season_that_came_twice_mstl_says_so():
    with pytest.raises(ValueError, match="no season came twice"):
        MstlAutoArima().fit(day(30), HOUR_S)
