"""The figures of `bench policies` in a terminal, each beside its goal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

from rich.console import Console

from kapellmeister.bench.goal import at_least, at_most
from kapellmeister.bench.policies.decision_time import DecisionFigures
from kapellmeister.bench.policies.figures import (
    BurstFigures,
    FaultFigures,
    PolicyReport,
    StepFigures,
)
from kapellmeister.bench.policies.responses import BURST_FACTORS, BURST_S
from kapellmeister.terminal.tables import goal_table

DECISION_MS, DECIDED_S, MARGIN_S, BURST_RATIO = 5.0, 2, 3, 0.5
Rows = Iterator[tuple[str, str, str]]


def print_report(report: PolicyReport, console: Console) -> None:
    """Every figure beside its goal."""
    bursts = chain.from_iterable(map(_burst_rows, report.bursts))
    disturbed = chain(_step_rows(report.step), bursts, _fault_rows(report.faults))
    rows = chain(_decision_rows(report.decision), disturbed)
    console.print(goal_table(f"{report.policy}, {report.forecaster}", rows))
    console.print(f"\n{report.machine}")


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
