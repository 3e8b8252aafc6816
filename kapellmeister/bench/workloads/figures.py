"""Figures of the workloads and of the peers."""

from __future__ import annotations

from kapellmeister.bench.spread import Spread
from kapellmeister.machine.description import Machine
from simulators.figures import Figures


class PeerFigures(Figures):
    """A peer beside us: `block_us` for one block of all streams, `ratio` to ours, round by round.

    `difference` is the largest between its output and ours, relative to the loudest sample;
    where it is too large nothing is claimed. All are None for a peer that is not installed.
    """

    name: str
    remark: str | None
    difference: float | None
    block_us: Spread | None
    ratio: Spread | None
    goal: float | None


class CostFigures(Figures):
    """Processor time of one block of all streams on one thread, and its share of the period."""

    workload: str
    streams: int
    block_us: Spread
    period_share: Spread


class WorkloadsReport(Figures):
    """Medians and ranges of processor time over the rounds; `steal_share` of it meanwhile."""

    machine: Machine
    steal_share: float | None
    rounds: int
    sample_rate_hz: int
    period_frames: int
    streams: int
    taps: int
    ours_us: Spread
    peers: list[PeerFigures]
    costs: list[CostFigures]
