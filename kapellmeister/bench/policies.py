"""What a policy is promised to do apart from its cost, every figure beside its goal."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from controller.load.trace import LoadTrace
from kapellmeister.bench.decision_time import DecisionFigures, decision_time
from kapellmeister.bench.directions import Directions
from kapellmeister.bench.disturbances import (
    Disturbance,
    Response,
    growth_after_s,
    misses_end_after_s,
    respond,
)
from kapellmeister.bench.goal import at_least, at_most
from kapellmeister.machine.description import Machine, describe_machine
from policies.latency import Calibration, Link, Post, Transfer
from simulators.control_loop import make_policy
from simulators.loads.generators import GENERATORS, generate
from simulators.plant.faults import random_schedule
from simulators.run import make_plant, run
from simulators.simulation import Simulation, check_names

Progress = Callable[[float], None]
FULL = Calibration(transfer=Transfer(), post=Post(), link=Link())
"""All the stages of a pipeline, and with them all the knobs."""
DECISION_MS = 5.0
DISTURBED_STREAMS = 500
STEP, STEP_START_S, DECIDED_S, MARGIN_S = Disturbance(DISTURBED_STREAMS, 2.0, 120, 120), 20.0, 2, 3
BURST_FACTORS, BURST_S, BURST_START_S, BURST_RATIO = (1.3, 1.6, 2.0), 60, 120.0, 0.5
FAULTY_STREAMS, FAULTS_A_DAY, FAULTY_TICK_S = 1000, 48.0, 60.0
SILENT_EVERY_S, SILENT_S = 43_200.0, 21_600.0
"""So often, and for so long, nobody is there: until a forecaster expects nobody either."""


class Figures(BaseModel):
    """Frozen figures that cross to JSON as they are."""

    model_config = ConfigDict(frozen=True)


class StepFigures(Figures):
    """The load doubles: seconds until the first growth that is admitted, and until misses end.

    `growth_s` is None where nothing grew; `missed` is the miss rate of the seconds watched.
    """

    nodes: int
    start_s: float
    growth_s: float | None
    misses_end_s: int
    missed: float


class BurstFigures(Figures):
    """The load is `factor` times as high for a minute: missed with all knobs, and nodes alone.

    Both began at the `nodes` and `batch_size` at which the policy had settled with all knobs.
    `ratio` is None where nodes alone missed nothing. `turned` is what all knobs did meanwhile.
    """

    factor: float
    nodes: int
    batch_size: int
    missed: float
    missed_nodes_alone: float
    ratio: float | None
    turned: tuple[str, ...]


class FaultFigures(Figures):
    """Actions in the wrong direction, and how often there was occasion for one.

    The load was not known in `blind_ticks`; in `idle_ticks` there was none and none expected.
    """

    hours: float
    faults: int
    ticks: int
    actions: int
    blind_ticks: int
    idle_ticks: int
    blind_shrinks: int
    idle_growths: int


class PolicyReport(Figures):
    """All of it, of one policy."""

    machine: Machine
    policy: str
    forecaster: str
    target_miss_rate: float
    decision: DecisionFigures
    step: StepFigures
    bursts: tuple[BurstFigures, ...]
    faults: FaultFigures


def bench_policies(policy: str, forecaster: str, hours: float, progress: Progress) -> PolicyReport:
    """Measure everything, `hours` of it with faults.

    Raises PlugInError for an unknown policy or forecaster, PolicyFailure where the policy fails.
    """
    base = Simulation(policy, generate("steps", 1.0), forecaster=forecaster, calibration=FULL)
    check_names(base)
    make_policy(policy, {})
    decision = decision_time(base)
    progress(0.1)
    step = _step(base)
    progress(0.2)
    bursts = []
    for number, factor in enumerate(BURST_FACTORS, start=1):
        bursts.append(_burst(base, factor))
        progress(0.2 + 0.5 * number / len(BURST_FACTORS))
    return PolicyReport(
        machine=describe_machine(),
        policy=policy,
        forecaster=forecaster,
        target_miss_rate=base.target_miss_rate,
        decision=decision,
        step=step,
        bursts=tuple(bursts),
        faults=_faults(base, hours, lambda part: progress(0.7 + 0.3 * part)),
    )


def _step(base: Simulation) -> StepFigures:
    simulation = replace(base, level="batch", knobs=("nodes",), node_start_s=STEP_START_S)
    response = respond(simulation, STEP)
    return StepFigures(
        nodes=response.nodes,
        start_s=STEP_START_S,
        growth_s=growth_after_s(response.turned, "nodes"),
        misses_end_s=misses_end_after_s(response.blocks, response.missed, base.target_miss_rate),
        missed=_miss_rate(response),
    )


def _burst(base: Simulation, factor: float) -> BurstFigures:
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


def _faults(base: Simulation, hours: float, progress: Progress) -> FaultFigures:
    """On all cores, one kind of load in each."""
    share = hours / len(GENERATORS)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        played = [
            pool.submit(_with_faults, base, name, share, seed)
            for seed, name in enumerate(GENERATORS, start=1)
        ]
        for done, _ in enumerate(as_completed(played), start=1):
            progress(done / len(played))
    parts = [each.result() for each in played]
    counted = {
        name: sum(getattr(part, name) for part in parts) for name in FaultFigures.model_fields
    }
    return FaultFigures(**counted)


def _with_faults(base: Simulation, name: str, hours: float, seed: int) -> FaultFigures:
    simulation = replace(
        base,
        trace=with_silences(generate(name, hours / 24.0, FAULTY_STREAMS)),
        seed=seed,
        interval_s=FAULTY_TICK_S,
        faults=random_schedule(seed, 3600.0 * hours, FAULTS_A_DAY),
    )
    load = simulation.load()
    counted = Directions(make_plant(simulation, load).knobs())
    run(simulation, load, instruments=(counted,))
    told = FaultFigures.model_fields.keys() - {"hours", "faults"}
    return FaultFigures(
        hours=hours,
        faults=len(simulation.faults.faults),
        **{name: getattr(counted, name) for name in told},
    )


def with_silences(trace: LoadTrace) -> LoadTrace:
    """The same with nobody there in the second half of every twelve hours."""
    silent_from_s = SILENT_EVERY_S - SILENT_S
    streams = (
        0.0 if time_s % SILENT_EVERY_S >= silent_from_s else each
        for time_s, each in zip(trace.time_s, trace.streams, strict=True)
    )
    return replace(trace, streams=tuple(streams))


def print_report(report: PolicyReport, console: Console) -> None:
    """Every figure beside its goal."""
    table = Table(f"{report.policy}, {report.forecaster}", "measured", "goal", box=None)
    for rows in (_decision_rows(report.decision), _step_rows(report.step)):
        for row in rows:
            table.add_row(*row)
    for burst in report.bursts:
        for row in _burst_rows(burst):
            table.add_row(*row)
    for row in _fault_rows(report.faults):
        table.add_row(*row)
    console.print(table)
    console.print(f"\n{report.machine}")


Rows = Iterator[tuple[str, str, str]]


def _decision_rows(found: DecisionFigures) -> Rows:
    what = f"{found.decisions:,} decisions, {found.nodes} nodes, {found.streams:,} streams"
    yield f"{what}, p50, ms", f"{found.p50_ms:.2f}", ""
    yield "the same, p99, ms", f"{found.p99_ms:.2f}", at_most(found.p99_ms, DECISION_MS)
    yield "the same, p99 of processor time, ms", f"{found.cpu_p99_ms:.2f}", ""
    yield "longest, the first included, ms", f"{found.longest_ms:.1f}", ""


def _step_rows(found: StepFigures) -> Rows:
    growth = "never" if found.growth_s is None else f"{found.growth_s:g}"
    decided = at_most(math.inf if found.growth_s is None else found.growth_s, DECIDED_S)
    yield f"twice the load of {found.nodes} nodes: first growth, s", growth, decided
    goal_s = found.start_s + MARGIN_S
    name = f"misses end, a node starting in {found.start_s:g} s, s"
    yield name, f"{found.misses_end_s}", at_most(found.misses_end_s, goal_s)


def _burst_rows(found: BurstFigures) -> Rows:
    name = f"{found.factor:g} times for {BURST_S} s"
    settled = f"{found.nodes} nodes, batches of {found.batch_size}"
    yield f"{name}, {settled}: missed, nodes alone", f"{found.missed_nodes_alone:.3%}", ""
    yield f"{name}: missed, all knobs", f"{found.missed:.3%}", ""
    ratio = "nothing missed" if found.ratio is None else f"{found.ratio:.2f}"
    goal = at_most(found.ratio, BURST_RATIO) if found.factor == BURST_FACTORS[0] else ""
    yield f"{name}: all knobs / nodes alone", ratio, goal
    yield f"{name}: turned", "; ".join(found.turned) or "nothing", ""


def _fault_rows(found: FaultFigures) -> Rows:
    yield (
        "simulated hours, faults in them",
        f"{found.hours:,g}, {found.faults:,}",
        at_least(found.hours, 10_000),
    )
    yield "actions", f"{found.actions:,} in {found.ticks:,} ticks", ""
    blind, idle = f"{found.blind_ticks:,}", f"{found.idle_ticks:,}"
    yield (
        f"shrinks in {blind} ticks without a load",
        f"{found.blind_shrinks}",
        at_most(found.blind_shrinks, 0),
    )
    yield (
        f"growths in {idle} ticks without a stream",
        f"{found.idle_growths}",
        at_most(found.idle_growths, 0),
    )
