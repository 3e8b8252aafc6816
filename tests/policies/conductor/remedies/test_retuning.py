"""Another setting is taken where nodes and misses together cost less with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conductor_cases import context, decide

from policies.conductor.remedies.batching import larger
from policies.diagnosis import Bottleneck
from policies.forecast import Forecast
from policies.knobs import (
    Choice,
    Settings,
)
from policies.observation import BlockCounts, Value
from policies.proposal import Verdict, Verification


@pytest.mark.parametrize(("missed", "tried"), [(0, [16]), (1, []), (None, [])])
def test_a_larger_batch_is_tried_to_save_nodes_where_all_is_well_and_nothing_else_is_to_do(
    missed, tried
):
    flat = Forecast(np.full((10, 60), 40.0), 1.0, 1000.0, "fixed", calibrated=True)
    seen = context(Bottleneck.NONE, nodes=2, batch_size=8, busy=0.6, forecast=flat)
    blocks = None if missed is None else BlockCounts(10_000 - missed, missed)
    seen = replace(seen, observation=replace(seen.observation, load=Value(40.0), blocks=blocks))
    proposal, state = decide(seen, None)
    assert [each.value for each in proposal.actions] == tried
    if tried:
        assert proposal.actions[0].reason.endswith("and 2 with 16: fewer nodes may do then")
        undone = Verification(
            "1-c1", "batch_size", Verdict.ROLLED_BACK, "miss_rate", None, 0.1, "x"
        )
        _, state = decide(replace(seen, time_s=1001.0, verified=(undone,)), state)
        assert decide(replace(seen, time_s=1001.0 + 5 * 3600.0), state)[0].actions == ()


def test_a_knob_whose_value_nobody_knows_is_left_alone():
    seen = context(Bottleneck.NONE, nodes=2, batch_size=8, busy=0.6)
    blind = replace(seen, settings=Settings.of({"nodes": 2}))
    assert [each.knob for each in decide(blind, None)[0].actions] == []


def test_a_batch_that_saves_no_call_is_no_gain():
    domain = Choice((8, 16, 32, 64))
    assert larger(domain, 8, streams=20.0, nodes=1) == (32, 16)
    assert larger(domain, 32, streams=20.0, nodes=1) == ()
    assert larger(domain, 16, streams=20.0, nodes=2) == ()


class Batched:
    """A node carries as many streams as its batch has, and misses half of what more bring."""

    def miss_rates(self, settings):
        return np.concatenate([np.zeros(settings["batch_size"] + 1), np.full(200, 0.5)])

    def utilisation(self, streams, settings):
        return None


def test_a_larger_batch_is_taken_where_fewer_nodes_carry_the_peak_with_it():
    """40 streams overload four nodes with batches of 8; with batches of 64 one carries them."""
    flat = Forecast(np.full((10, 60), 40.0), 1.0, 1000.0, "fixed", calibrated=True)
    seen = context(Bottleneck.NONE, nodes=4, batch_size=8, busy=0.6, forecast=flat)
    seen = replace(seen, observation=replace(seen.observation, load=Value(40.0)), latency=Batched())
    proposal, _ = decide(seen, None)
    assert [(each.knob, each.value) for each in proposal.actions] == [("batch_size", 64)]
    told = "misses and nodes together cost 1.13 nodes with batch_size 64 and 157.36 as it is"
    assert proposal.actions[0].reason.endswith(told)
