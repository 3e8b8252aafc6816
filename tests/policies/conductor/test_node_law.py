"""As many nodes as are cheapest, their misses included."""

from __future__ import annotations

import numpy as np
import pytest

from policies.conductor.node_law import NodeLaw, cheapest, staffed
from policies.conductor.peaks import Peaks
from policies.proposal import Expectation

LAW = NodeLaw(np.array([0.0] * 11 + [0.5, 1.0]))
"""Carries 10 streams without a miss, 11 with half of the blocks missed, and 12 not at all."""


def peaks(*pairs):
    loads, probabilities = zip(*pairs, strict=True)
    return Peaks(np.array(loads), np.array(probabilities))


@pytest.mark.parametrize(("load", "nodes"), [(0.0, 1), (10.0, 1), (10.5, 2), (95.0, 10)])
def test_a_load_that_is_certain_gets_the_nodes_that_carry_it(load, nodes):
    assert cheapest(LAW, peaks((load, 1.0)), price=1.0, low=1, high=20).nodes == nodes


@pytest.mark.parametrize(("price", "nodes"), [(0.1, 5), (10.0, 10)])
def test_a_rare_peak_is_carried_only_where_its_misses_cost_more_than_the_nodes(price, nodes):
    """100 streams one time in a hundred: a price of 0.1 loses 0.1 nodes, of 10 all but 10."""
    choice = cheapest(LAW, peaks((50.0, 0.99), (100.0, 0.01)), price, low=1, high=20)
    assert choice.nodes == nodes
    assert choice.cost == pytest.approx(5.1 if nodes == 5 else 10.0)


def test_the_bounds_are_kept():
    assert cheapest(LAW, peaks((500.0, 1.0)), price=1.0, low=1, high=7).nodes == 7
    assert cheapest(LAW, peaks((5.0, 1.0)), price=1.0, low=3, high=7).nodes == 3


def test_a_node_that_is_slower_than_its_model_carries_fewer_streams():
    slow = NodeLaw(LAW.miss_rates, streams_factor=2.0)
    assert slow.capacity(0.0) == 5
    assert cheapest(slow, peaks((40.0, 1.0)), price=1.0, low=1, high=20).nodes == 8


def test_between_whole_streams_the_miss_rate_is_interpolated_and_beyond_all_is_missed():
    assert LAW.miss_rate(21.0, 2) == pytest.approx(0.25)
    assert LAW.miss_rate(100.0, 1) == 1.0


def test_what_a_count_would_cost_names_its_misses():
    found = staffed(LAW, peaks((50.0, 0.5), (100.0, 0.5)), price=0.1, nodes=5)
    assert (found.nodes, found.cost) == (5, pytest.approx(10.0))
    assert found.miss_rate == pytest.approx(50.0 / 75.0)


def test_where_nothing_more_is_known_a_node_keeps_the_reserve():
    law = NodeLaw.unmeasured(most_streams=85.0)
    assert law.capacity(0.0) == 85
    assert law.miss_rate(200.0, 2) == pytest.approx(0.15)


def test_without_the_change_at_least_what_is_missed_now_goes_on():
    effect = NodeLaw.unmeasured(85.0).effect(1, 2, 100.0, missed=0.02)
    assert effect.at(50.0) == Expectation(50.0, 0.0, 0.02)
    assert effect.at(200.0).changed == pytest.approx(0.15)
    assert effect.at(200.0).unchanged == pytest.approx(0.575)
