"""The oracle against every plan there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simulators.oracle import Horizon, oracle_delayed, oracle_instant

STEP_S = 60.0
RATES = np.array([0.0, 0.0, 0.0, 0.01, 0.05, 0.2, 0.5, 1.0])
"""Miss rate of a node with 0, 1, 2, ... streams."""


def horizon(streams, scored=None):
    streams = np.array(streams)
    scored = np.ones(streams.size, bool) if scored is None else np.array(scored)
    return Horizon(streams, scored, RATES, STEP_S, nodes_max=4)


def rate(streams):
    return RATES[streams] if streams < RATES.size else 1.0


def cost_and_misses(plan, streams, start_s):
    cost = sum(plan) * STEP_S
    cost += start_s * sum(max(0, b - a) for a, b in itertools.pairwise(plan))
    missed = 0.0
    for nodes, load in zip(plan, streams, strict=True):
        each, more = divmod(load, nodes)
        missed += more * (each + 1) * rate(each + 1) + (nodes - more) * each * rate(each)
    return cost, missed


@pytest.mark.parametrize("start_s", [0.0, 30.0, 120.0])
@pytest.mark.parametrize("seed", range(6))
def test_no_plan_within_the_budget_is_much_cheaper(seed, start_s):
    """A Lagrangian plan may leave a gap where single misses are large: one step of one node."""
    streams = np.random.default_rng(seed).integers(0, 10, 6).tolist()
    target = 0.02
    plan = oracle_delayed(horizon(streams), start_s, target)
    budget = target * sum(streams)
    best = min(
        cost
        for each in itertools.product(range(1, 5), repeat=6)
        for cost, missed in [cost_and_misses(each, streams, start_s)]
        if missed <= budget + 1e-9
    )
    cost, missed = cost_and_misses(plan.nodes.tolist(), streams, start_s)
    assert missed <= budget + 1e-9
    assert plan.node_hours == pytest.approx(cost / 3600.0)
    assert best - 1e-9 <= cost <= best + STEP_S + start_s


def test_a_short_dip_is_bridged_where_starting_costs_more():
    streams = [8, 8, 2, 8, 8]
    cheap = oracle_delayed(horizon(streams), 0.0, 1e-9)
    dear = oracle_delayed(horizon(streams), 300.0, 1e-9)
    assert cheap.nodes.tolist() == [4, 4, 1, 4, 4]
    assert dear.nodes.tolist() == [4, 4, 4, 4, 4]


def test_the_instant_oracle_has_what_each_step_needs():
    plan = oracle_instant(horizon([0, 2, 3, 8, 5]), 1e-9)
    assert plan.nodes.tolist() == [1, 1, 2, 4, 3]
    assert plan.node_hours == pytest.approx(11 * STEP_S / 3600.0)


def test_what_is_not_scored_costs_and_misses_nothing():
    plan = oracle_delayed(horizon([8, 8, 2, 2], [False, False, True, True]), 0.0, 1e-9)
    assert plan.node_hours == pytest.approx(2 * STEP_S / 3600.0)
    nothing = oracle_delayed(horizon([8, 8], [False, False]), 0.0, 1e-9)
    assert (nothing.node_hours, nothing.miss_rate) == (0.0, 0.0)


def test_more_misses_allowed_never_cost_more():
    streams = np.random.default_rng(0).integers(0, 14, 200)
    hours = [
        oracle_delayed(horizon(streams), 120.0, target).node_hours
        for target in (1e-6, 1e-3, 1e-2, 0.1)
    ]
    assert hours == sorted(hours, reverse=True)
    assert hours[0] > hours[-1]
