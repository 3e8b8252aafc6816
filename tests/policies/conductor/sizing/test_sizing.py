"""Nodes come before a peak that needs them, and leave once nothing wants them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conductor_cases import Machine, context, decide, narrowed
from fakes import KNOBS, quantiles

from policies.diagnosis import Bottleneck
from policies.forecast import Forecast
from policies.knobs import (
    Bounds,
)
from policies.observation import Value


def test_a_node_that_is_too_much_leaves_once_the_load_has_stayed_low():
    """A shrink takes 15 s of one proposal without a break, and ends with as many as needed."""
    machine = Machine(stream_ms=0.1)
    machine.plant.found["nodes"] = machine.plant.values["nodes"] = 3
    assert machine.turns(15) == []
    assert machine.turns(30) == ["nodes 2", "nodes 1"]


def test_nodes_do_not_shrink_when_the_peak_needs_them():
    peak = Forecast(np.full((10, 60), 70.0), 1.0, 1000.0, "fixed", calibrated=True)
    proposal, _ = decide(context(Bottleneck.NONE, nodes=2, forecast=peak, busy=0.2), None)
    assert proposal.actions == ()


@pytest.mark.parametrize(("begins", "nodes"), [(1, []), (50, [1])])
def test_a_node_stays_for_a_peak_that_comes_before_it_could_be_back(begins, nodes):
    paths = np.full((10, 60), 20.0)
    paths[:, begins:] = 70.0
    late = Forecast(paths, 1.0, 1000.0, "fixed", calibrated=True)
    proposal, _ = decide(context(Bottleneck.NONE, nodes=2, forecast=late, busy=0.2), None)
    assert [each.value for each in proposal.actions] == nodes


def test_nodes_grow_before_a_peak_that_the_forecast_expects():
    peak = Forecast(np.full((10, 60), 90.0), 1.0, 1000.0, "fixed", calibrated=True)
    wide = {**KNOBS, "nodes": replace(KNOBS["nodes"], domain=Bounds(1, 4, step=3))}
    seen = replace(context(Bottleneck.NONE, forecast=peak, busy=0.4), knobs=wide)
    action = decide(seen, None)[0].actions[0]
    assert (action.knob, action.value) == ("nodes", 3)
    assert action.reason == (
        "20 streams now, by the forecast a peak of 90 until another node could serve, 99 one time "
        "in a hundred; 1 node would miss 53.666%, and 3 nodes would miss 0.000%; misses included, "
        "that costs as much as 3.00 nodes instead of 35.99"
    )


def test_nodes_that_save_less_than_they_cost_are_told_to_be_for_the_highest_peak():
    """Either way all is missed."""
    peak = Forecast(np.full((10, 60), 2000.0), 1.0, 1000.0, "fixed", calibrated=True)
    few = narrowed(context(Bottleneck.NONE, forecast=peak, busy=0.95), 2)
    assert (
        decide(few, None)[0]
        .actions[0]
        .reason.endswith("; they save less than they cost, but the highest peak needs them")
    )


def test_no_more_nodes_are_asked_for_than_there_can_be_whatever_was_wanted_before():
    peak = Forecast(np.full((10, 60), 90.0), 1.0, 1000.0, "fixed", calibrated=True)
    seen = context(Bottleneck.OVERLOAD, nodes=2, forecast=peak, busy=0.95)
    _, state = decide(seen, None)
    proposal, _ = decide(narrowed(replace(seen, time_s=1000.5), 2), state)
    assert proposal.actions == ()
    assert "another node: there are 2 already, the most allowed" in proposal.rejected


def test_nodes_do_not_shrink_without_a_forecast():
    proposal, _ = decide(context(Bottleneck.NONE, nodes=2, busy=0.05), None)
    assert proposal.actions == ()
    assert proposal.rejected == ("nodes_1: nothing shrinks without a forecast of the load",)


@pytest.mark.parametrize(("peak", "nodes"), [(20.0, 1), (25.0, 1), (33.0, None), (40.0, None)])
def test_nodes_shrink_only_where_one_fewer_carries_what_may_come(peak, nodes):
    """Two nodes 25 % busy with 20 streams: one node carries 34 with the reserve."""
    forecast = Forecast(np.full((10, 60), peak), 1.0, 1000.0, "fixed", calibrated=True)
    seen = context(Bottleneck.NONE, nodes=2, forecast=forecast, busy=0.25)
    actions = decide(seen, None)[0].actions
    assert [each.value for each in actions] == ([] if nodes is None else [nodes])


def test_an_idle_plant_gives_nodes_back_by_what_a_stream_took_before():
    none_to_come = Forecast(np.zeros((10, 60)), 1.0, 1000.0, "fixed", calibrated=True)
    _, state = decide(context(Bottleneck.NONE, nodes=2, busy=0.25), None)
    idle = context(Bottleneck.NONE, nodes=2, forecast=none_to_come, busy=0.0)
    idle = replace(idle, observation=replace(idle.observation, load=Value(0.0)))
    assert decide(idle, None)[0].actions == ()
    assert [each.value for each in decide(idle, state)[0].actions] == [1]


def test_what_is_promised_is_of_as_many_nodes_as_one_change_can_bring():
    """Held against a promise of three, two fall short, and three are not tried for minutes."""
    peak = Forecast(np.full((10, 60), 90.0), 1.0, 1000.0, "fixed", calibrated=True)
    seen = context(Bottleneck.NONE, forecast=peak, busy=0.4)
    for step in (1, 2):
        nodes = replace(KNOBS["nodes"], domain=Bounds(1, 4, step=step))
        proposal, _ = decide(replace(seen, knobs={**KNOBS, "nodes": nodes}), None)
        action = proposal.actions[0]
        assert action.value == 1 + step
        assert f"and {action.value} nodes would miss" in action.reason


@pytest.mark.parametrize(("p99_ms", "asked"), [(4.5, 1), (4.7, None)])
def test_where_nothing_models_latency_no_node_leaves_that_would_make_blocks_late(p99_ms, asked):
    """Two nodes at a fifth of their time, 2 ms from block to block: one works 0.4 ms longer."""
    flat = Forecast(np.full((10, 60), 20.0), 1.0, 1000.0, "fixed", calibrated=True)
    seen = context(Bottleneck.NONE, nodes=2, busy=0.2, forecast=flat)
    seen = replace(seen, observation=replace(seen.observation, latency=quantiles(p99_ms)))
    proposal, _ = decide(seen, None)
    assert next((each.value for each in proposal.actions), None) == asked
    if asked is None:
        assert "takes 4.7 ms, and would take 5.1 ms of 5.0 ms with 1" in str(proposal.rejected)
