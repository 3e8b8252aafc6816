"""`kapellmeister simulate`: one policy on one trace, in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from controller.errors import ScenarioError
from kapellmeister.experiments.options import SimulateOptions
from kapellmeister.terminal.progress import Progress, unseen
from kapellmeister.terminal.tables import summary_table
from simulators.loads.generators import find_trace
from simulators.loads.load_path import Load
from simulators.plant.faults import random_schedule
from simulators.report import SimulationReport
from simulators.simulate import SimulationResult
from simulators.simulate import simulate as play
from simulators.simulation import Simulation, check_names


def simulate(options: SimulateOptions, progress: Progress = unseen) -> SimulationResult:
    """Play a trace against a policy, on a plant that exists only in numbers.

    Raises a KapellmeisterError for everything that the user can mend.
    """
    simulation = simulation_of(options)
    with progress(f"{simulation.policy} on {simulation.trace.name}") as advance:
        return play(simulation, advance)


def simulation_of(options: SimulateOptions) -> Simulation:
    """The simulation that was asked for: traces, pipelines and scenarios are read from their files.

    Raises a KapellmeisterError that names the file and the remedy.
    """
    simulation = replace(
        options.simulation(options.policy, find_trace(options.trace)),
        seed=options.seed,
        telemetry_delay=options.telemetry_delay,
        telemetry_loss=options.telemetry_loss,
    )
    if options.scenario is not None:
        check_faults(simulation, [simulation.load()], options.scenario)
    elif options.faults_per_day > 0.0:
        duration_s = simulation.trace.duration_s
        faults = random_schedule(simulation.seed, duration_s, options.faults_per_day)
        simulation = replace(simulation, faults=faults)
    check_names(simulation)
    return simulation


def check_faults(simulation: Simulation, loads: Sequence[Load], scenario: Path) -> None:
    """Raise ScenarioError for a fault that nothing would ever be seen of, on any of the loads."""
    calibration = simulation.calibration
    needed = {"gpu_out_of_memory": calibration.transfer, "link_slow": calibration.link}
    spans_s = [
        (float(load.time_s[0]), float(load.time_s[-1]) + load.step_s, load.name) for load in loads
    ]
    for number, fault in enumerate(simulation.faults.faults, start=1):
        where = f"fault {number} ({fault.kind}, in order of time)"
        if fault.kind in needed and needed[fault.kind] is None:
            raise ScenarioError(scenario, where, "this pipeline has no such stage")
        if not any(begin - fault.duration_s < fault.at_s < end for begin, end, _ in spans_s):
            spans = ", ".join(f"{begin:g} to {end:g} s ({name})" for begin, end, name in spans_s)
            raise ScenarioError(scenario, where, f"{fault.at_s:g} s is not within {spans}")


def print_report(report: SimulationReport, console: Console) -> None:
    """The figures of a simulation, in words."""
    console.print(summary_table(_lines(report)))


def _lines(report: SimulationReport) -> list[tuple[str, str]]:
    blocks = report.blocks
    missed = "nothing was played" if report.miss_rate is None else f"{report.miss_rate:.3%}"
    lines = [
        ("simulated", _simulated(report)),
        (
            "blocks",
            f"{blocks.submitted:,} submitted = {blocks.on_time:,} on time + {blocks.late:,} late "
            f"+ {blocks.concealed:,} concealed + {blocks.lost:,} lost",
        ),
        ("missed", missed),
        ("latency", _latency(report)),
        ("cost", f"{report.node_hours:,.1f} node hours, {_beside_oracle(report)}"),
        ("decisions", _decisions(report)),
        ("took", f"{report.wall_s:.1f} s"),
    ]
    alarms = sorted(report.alarms.items(), key=lambda item: -item[1])
    return lines + [("alarm", f"{text} ({count} times)") for text, count in alarms[:5]]


def _simulated(report: SimulationReport) -> str:
    gaps = f", {_lasting(report.gaps_s)} of gaps left out" if report.gaps_s else ""
    return f"{_lasting(report.simulated_s)} at the {report.level} level, {report.policy}{gaps}"


def _lasting(seconds: float) -> str:
    """A duration in the largest unit of which there is one."""
    for unit_s, unit in ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} seconds"


def _latency(report: SimulationReport) -> str:
    seen = report.latency_ms
    if seen.p50 is None or seen.p99 is None or seen.max is None:
        return "no block was finished"
    return f"p50 {seen.p50:.2f} ms, p99 {seen.p99:.2f} ms, max {seen.max:.2f} ms"


def _beside_oracle(report: SimulationReport) -> str:
    """Who misses more than the oracle does may well pay less."""
    if report.cost_vs_oracle is None:
        return "and no oracle to compare with: it needs no node, or cannot meet the target"
    delayed, instant = report.oracle.node_hours, report.oracle_instant.node_hours
    return (
        f"{report.cost_vs_oracle:.2f} times the {delayed:,.1f} of an oracle, which knows the load "
        f"beforehand and just meets the target ({instant:,.1f} with nodes at once)"
    )


def _decisions(report: SimulationReport) -> str:
    if not report.decisions:
        return "none"
    made = f"{report.decisions} of {', '.join(report.knobs)}"
    wrong = report.wrong_direction_actions
    return f"{made}; {wrong} led away from the nodes that the load then needed, as headroom does"
