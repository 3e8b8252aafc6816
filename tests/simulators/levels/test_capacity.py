"""The streams that a node carries, by the closed form."""

from __future__ import annotations

from policies.latency import Calibration
from simulators.levels.capacity import node_capacity, node_miss_rates


def test_capacity_is_the_most_that_a_node_carries_within_the_target():
    assert 85 <= node_capacity(Calibration(), 16, 1e-3) <= 95
    assert node_capacity(Calibration(), 16, 1e-5) < node_capacity(Calibration(), 16, 1e-2)


def test_a_fuller_node_never_misses_less_and_the_fullest_misses_all():
    rates = node_miss_rates(Calibration(), 16)
    assert (rates[1:] >= rates[:-1]).all()
    assert (rates[0], rates[-1]) == (0.0, 1.0)
