"""Figures of a policy."""

from __future__ import annotations

from kapellmeister.bench.policies.decision_time import DecisionFigures
from kapellmeister.machine.description import Machine
from simulators.figures import Figures


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
