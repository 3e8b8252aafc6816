"""A run of a simulation: its plant and its loop, tick by tick over the whole load."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from controller.errors import PolicyFailure
from controller.loop import Instrument
from policies.policy import Policy
from simulators.clock import SimulatedClock
from simulators.control_loop import control_loop, make_policy
from simulators.levels.capacity import BATCH_SIZE, VRAM_BLOCK_BYTES, node_capacity
from simulators.loads.load_path import Load
from simulators.plant.nodes import start_law
from simulators.plant.plant import PlantSpec, SimulatedPlant
from simulators.plant.service import make_server
from simulators.simulation import Simulation
from simulators.time_box import TimeBoxedPolicy
from simulators.timeline import Timeline

PEAKS_OF_NODES = 2
"""Nodes that a simulation allows, as a multiple of what the peak of its load needs."""
PROGRESS_EVERY = 200
"""Ticks from one word of progress to the next."""
OBJECTS_A_COLLECTION = 50_000
"""Objects made from one garbage collection to the next: a tick leaves no cycles behind."""


def run(
    simulation: Simulation,
    load: Load,
    progress: Callable[[float], None] = lambda _: None,
    instruments: Sequence[Instrument] = (),
    wrap: Callable[[Policy], Policy] = lambda policy: policy,
) -> Timeline:
    """Play the whole load, warm-up included; `progress` is told the part that is done.

    `instruments` see each tick; `wrap` makes of the policy the one that is asked. Raises
    PlugInError for a policy or forecaster that cannot be made, and PolicyFailure for a policy
    that raises, takes too long or returns nonsense.
    """
    policy = TimeBoxedPolicy(lambda: wrap(make_policy(simulation.policy, simulation.constants)))
    with policy, _rare_collections():
        policy.renew()
        return _run(simulation, load, policy, progress, instruments)


def make_plant(simulation: Simulation, load: Load) -> SimulatedPlant:
    """The plant of a simulation: with as many nodes as its first load needs, at its start."""
    capacity = node_capacity(simulation.calibration, BATCH_SIZE, simulation.target_miss_rate)
    peak = max(1, int(load.streams.max()))
    spec = PlantSpec(
        calibration=simulation.calibration,
        nodes=max(1, -(-int(load.streams[0]) // capacity)),
        nodes_max=PEAKS_OF_NODES * -(-peak // capacity) + 1,
        start_law=start_law(
            simulation.node_start_s, simulation.node_start_variation, simulation.seed
        ),
        start_s=simulation.node_start_s,
        seed=simulation.seed,
        batch_size=BATCH_SIZE,
        vram_block_bytes=VRAM_BLOCK_BYTES,
        knobs=simulation.knobs,
        faults=simulation.faults,
        telemetry_delay=simulation.telemetry_delay,
        telemetry_loss=simulation.telemetry_loss,
    )
    return SimulatedPlant(spec, load, make_server(simulation.level, simulation.calibration))


@contextmanager
def _rare_collections() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(OBJECTS_A_COLLECTION, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _run(
    simulation: Simulation,
    load: Load,
    policy: TimeBoxedPolicy,
    progress: Callable[[float], None],
    instruments: Sequence[Instrument],
) -> Timeline:
    plant, clock, timeline = (
        make_plant(simulation, load),
        SimulatedClock(load.begin_s),
        Timeline(load),
    )
    loop = control_loop(simulation, plant, clock, policy, instruments)
    steps = load.streams.size
    for step in range(steps):
        ended_s = load.begin_s + (step + 1) * load.step_s
        clock.sleep_until(ended_s)
        if simulation.faults.beginning("controller_restart", ended_s - load.step_s, ended_s):
            saved = json.loads(json.dumps(loop.saved()))
            policy.renew()
            loop = control_loop(simulation, plant, clock, policy, instruments)
            loop.resume(saved)
        tick = loop.tick()
        if tick.alarms and tick.proposal.reason in tick.alarms:  # the loop's word for a failure
            raise PolicyFailure(simulation.policy, ended_s, tick.proposal.reason)
        timeline.add(plant.last, tick)
        if step % PROGRESS_EVERY == 0:
            progress(step / steps)
    return timeline
