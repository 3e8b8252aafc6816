"""The conductor's modules alone: each turns its own knob on the nodes that are there."""

from __future__ import annotations

import numpy as np

from controller.load.trace import LoadTrace
from simulators.run import run
from simulators.simulation import Simulation


def test_a_larger_batch_carries_a_load_that_the_nodes_at_hand_could_not():
    times = tuple(300.0 * k for k in range(24))
    streams = tuple(600.0 if k < 12 else 1000.0 for k in range(24))
    trace = LoadTrace("step", times, streams)
    played = {}
    for policy in ("static", "batching"):
        simulation = Simulation(policy, trace, knobs=("batch_size",))
        timeline = run(simulation, simulation.load())
        played[policy] = timeline
    missed = {name: each.counts().missed for name, each in played.items()}
    assert np.all(played["static"].batch_size == played["static"].batch_size[0])
    assert played["batching"].batch_size[-1] > played["static"].batch_size[-1]
    assert missed["batching"] < 0.5 * missed["static"]
