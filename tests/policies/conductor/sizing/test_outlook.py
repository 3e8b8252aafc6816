"""The outlook joins the load that is expected and what a node makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conductor_cases import decide, modelled

from policies.conductor.situation import Situation
from policies.conductor.sizing.estimates import Estimates
from policies.conductor.sizing.node_capacity import NodeCapacity
from policies.conductor.sizing.outlook import corrected, look_out
from policies.observation import Value


def test_a_model_that_does_not_know_the_settings_is_asked_nothing():
    half_busy = Estimates(capacity=NodeCapacity(streams=10.0, busy=0.5))
    known = look_out(Situation.of(modelled()), None, half_busy, 1.0, predictive=True)
    assert known.latency is not None
    assert known.law.capacity(0.001) == 19
    other = Situation.of(modelled(batch_size=32))
    unknown = look_out(other, None, half_busy, 1.0, predictive=True)
    assert unknown.latency is None
    assert unknown.law.capacity(0.001) == 17
    assert look_out(other, None, Estimates(), 1.0, predictive=True) is None


def test_what_a_model_does_not_know_is_learned_as_it_is_without_one():
    known, unknown = (
        decide(modelled(batch_size=size, busy=0.9), None)[1]["capacity"] for size in (64, 32)
    )
    assert (known["busy"], unknown["busy"]) == (0.0, 0.9)


def test_a_node_that_is_busier_than_its_model_says_is_taken_to_have_more_streams():
    busy, nodes = Value(0.75), Value(1.0)
    seen = modelled(busy=0.1)
    assert corrected(1.0, Situation.of(seen)) == pytest.approx(
        0.925
    )  # the sound takes 10 % and not half
    told = {"nodes.utilisation": busy, "nodes.ready": nodes}
    seen = replace(seen, observation=replace(seen.observation, readings=told))
    assert corrected(1.0, Situation.of(seen)) == pytest.approx(1.05)  # a tenth of the way to 1.5
