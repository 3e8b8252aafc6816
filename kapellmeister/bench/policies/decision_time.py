"""How long a policy takes to decide."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from controller.load.trace import LoadTrace
from policies.policy import Context, Policy, State
from policies.proposal import Proposal
from simulators.figures import Figures
from simulators.run import run
from simulators.simulation import Simulation

STREAMS, DECISIONS = 10_000, 4000
FIRST_DECISIONS = 60
"""Decisions in which the laws of nodes are worked out once; `longest_ms` alone tells them."""


class DecisionFigures(Figures):
    """How long `decide` alone took; `cpu_p99_ms` without what other processes took.

    Quantiles leave out the first decisions, which `longest_ms` has in it. `nodes` is the median.
    """

    decisions: int
    streams: int
    nodes: int
    p50_ms: float
    p99_ms: float
    cpu_p99_ms: float
    longest_ms: float


@dataclass(slots=True)
class Timed:
    """A policy whose every decision is timed, milliseconds."""

    policy: Policy
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the policy."""
        return self.policy.name

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """The decision of the policy, timed."""
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        decided = self.policy.decide(context, state)
        self.cpu_ms.append(1000.0 * (time.thread_time() - cpu_s))
        self.wall_ms.append(1000.0 * (time.perf_counter() - wall_s))
        return decided


def decision_time(base: Simulation) -> DecisionFigures:
    """Play a load that stays, at the ticks of a live run, with all else as in `base`."""
    seconds = tuple(float(second) for second in range(DECISIONS))
    trace = LoadTrace("constant", seconds, (float(STREAMS),) * DECISIONS)
    simulation = replace(base, trace=trace, interval_s=1.0)
    made: list[Timed] = []

    def timed(policy: Policy) -> Policy:
        made.append(Timed(policy))
        return made[-1]

    timeline = run(simulation, simulation.load(), wrap=timed)
    wall_ms, cpu_ms = made[0].wall_ms[FIRST_DECISIONS:], made[0].cpu_ms[FIRST_DECISIONS:]
    p50_ms, p99_ms = np.quantile(wall_ms, (0.5, 0.99))
    return DecisionFigures(
        decisions=len(wall_ms),
        streams=STREAMS,
        nodes=int(np.median(timeline.ready)),
        p50_ms=float(p50_ms),
        p99_ms=float(p99_ms),
        cpu_p99_ms=float(np.quantile(cpu_ms, 0.99)),
        longest_ms=max(made[0].wall_ms),
    )
