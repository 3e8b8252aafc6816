"""Response of a policy to a step of the load, and to bursts."""

from __future__ import annotations

from dataclasses import replace

from kapellmeister.bench.policies.disturbances import (
    Disturbance,
    Response,
    growth_after_s,
    misses_end_after_s,
    respond,
)
from kapellmeister.bench.policies.figures import BurstFigures, StepFigures
from simulators.simulation import Simulation

DISTURBED_STREAMS = 500
STEP, STEP_START_S = Disturbance(DISTURBED_STREAMS, 2.0, 120, 120), 20.0
BURST_FACTORS, BURST_S, BURST_START_S = (1.3, 1.6, 2.0), 60, 120.0


def step(base: Simulation) -> StepFigures:
    """Double the load, with nodes alone to follow it."""
    simulation = replace(base, level="batch", knobs=("nodes",), node_start_s=STEP_START_S)
    response = respond(simulation, STEP)
    return StepFigures(
        nodes=response.nodes,
        start_s=STEP_START_S,
        growth_s=growth_after_s(response.turned, "nodes"),
        misses_end_s=misses_end_after_s(response.blocks, response.missed, base.target_miss_rate),
        missed=_miss_rate(response),
    )


def burst(base: Simulation, factor: float) -> BurstFigures:
    """Multiply the load for a minute, with all knobs and with nodes alone."""
    simulation = replace(base, level="batch", node_start_s=BURST_START_S)
    disturbance = Disturbance(DISTURBED_STREAMS, factor, BURST_S, BURST_S)
    all_knobs = respond(simulation, disturbance)
    alone = respond(simulation, disturbance, nodes_alone=True)
    missed, missed_alone = _miss_rate(all_knobs), _miss_rate(alone)
    return BurstFigures(
        factor=factor,
        nodes=all_knobs.nodes,
        batch_size=all_knobs.batch_size,
        missed=missed,
        missed_nodes_alone=missed_alone,
        ratio=missed / missed_alone if missed_alone else None,
        turned=tuple(f"{knob} {value} at {at_s:g} s" for at_s, _, knob, value in all_knobs.turned),
    )


def _miss_rate(response: Response) -> float:
    return float(response.missed.sum() / max(1, response.blocks.sum()))
