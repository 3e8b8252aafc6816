"""Figures of rounds to workers and back."""

from __future__ import annotations

from kapellmeister.bench.spread import Spread
from kapellmeister.machine.description import Machine
from simulators.figures import Figures


class RatioFigures(Figures):
    """Median of a round as times that of another plane, window by window; None if one is absent."""

    other: str
    ratio: Spread | None
    goal: float


class PlaneFigures(Figures):
    """One plane with so many workers; spreads are over the windows.

    `remark` says why nothing was measured, and the times are then None. `against` is the goal,
    for those that have one.
    """

    name: str
    workers: int
    remark: str | None
    p50_us: Spread | None
    p99_us: Spread | None
    against: RatioFigures | None


class ClusterReport(Figures):
    """All of it; `load` is that of the machine over a minute, before anything was measured."""

    machine: Machine
    steal_share: float | None
    load: float
    windows: int
    rounds: int
    streams: int
    period_frames: int
    sample_rate_hz: int
    planes: tuple[PlaneFigures, ...]
