"""A simulation, played and held against who knows the load."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from simulators.levels.capacity import BATCH_SIZE
from simulators.loads.load_path import Load
from simulators.oracle import Horizon, OraclePlan, oracle_delayed, oracle_instant
from simulators.report import SimulationReport, report_of
from simulators.run import run
from simulators.simulation import Simulation
from simulators.timeline import Timeline


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """The report, and the steps and the two oracles that it comes from."""

    report: SimulationReport
    timeline: Timeline
    oracle: OraclePlan
    oracle_instant: OraclePlan


def simulate(
    simulation: Simulation, progress: Callable[[float], None] = lambda _: None
) -> SimulationResult:
    """Play one policy on one load, and hold it against who knows the load.

    Raises a KapellmeisterError for a policy that does not exist, and PolicyFailure where it
    raises or returns nonsense.
    """
    started_s = time.perf_counter()
    load = simulation.load()
    timeline = run(simulation, load, progress)
    delayed, instant = oracles(simulation, load)
    wall_s = time.perf_counter() - started_s
    report = report_of(simulation, timeline, delayed, instant, wall_s)
    return SimulationResult(report, timeline, delayed, instant)


def oracles(simulation: Simulation, load: Load) -> tuple[OraclePlan, OraclePlan]:
    """Who knows the load, with the real start delay and with none."""
    target = simulation.target_miss_rate
    horizon = Horizon.of(load, simulation.calibration, BATCH_SIZE, target)
    delayed = oracle_delayed(horizon, simulation.node_start_s, target)
    return delayed, oracle_instant(horizon, target)
