"""Noise by name."""

from __future__ import annotations

import statistics

from simulators.levels.draws import uniform


def test_the_same_names_draw_the_same_number_whatever_came_before():
    first = uniform(1, 2, 3, 0)
    uniform(7, 7, 7, 7)
    assert uniform(1, 2, 3, 0) == first


def test_other_names_and_seeds_draw_others():
    draws = {
        uniform(seed, node, period, 0) for seed in (1, 2) for node in (0, 1) for period in (0, 1)
    }
    assert len(draws) == 8


def test_draws_fill_the_unit_interval_evenly():
    draws = [uniform(5, number, 0, 0) for number in range(4000)]
    assert 0.0 <= min(draws) < 0.01 < 0.99 < max(draws) < 1.0
    assert abs(statistics.mean(draws) - 0.5) < 0.02
    assert abs(statistics.pvariance(draws) - 1 / 12) < 0.005
