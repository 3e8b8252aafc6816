"""Figures of the arena and of allocators beside it."""

from __future__ import annotations

from kapellmeister.bench.spread import Spread
from kapellmeister.machine.description import Machine
from simulators.figures import Figures


class LatencyFigures(Figures):
    """Time of a call, microseconds."""

    p50_us: Spread
    p99_us: Spread
    p999_us: Spread
    longest_us: Spread


class FillFigures(Figures):
    """An allocator at a share of the arena; spreads are over the seeds.

    `refused_share` is what was refused although as many bytes were free, of all allocations.
    """

    allocator: str
    fill: float
    live: int
    refused_share: Spread
    internal_fragmentation: Spread
    moved_gib: Spread
    allocate: LatencyFigures
    free: LatencyFigures


class DayFigures(Figures):
    """An allocator over a day; `full` allocations found fewer bytes free than they wanted."""

    allocator: str
    allocations: int
    full: int
    refused_share: Spread
    moved_gib: Spread
    passes: Spread
    pass_ms: Spread


class VramReport(Figures):
    """All of it, on offsets alone; `million_s` is a million operations of ours, untimed inside.

    `cpu_allocate` and `cpu_free` are processor time of our calls at the first fill; `blocks` our
    internal fragmentation by bytes of a block; `three_stages` the
    buffers of the pipeline that each refused.
    """

    machine: Machine
    steal_share: float | None
    arena_bytes: int
    seeds: int
    allocations: int
    fills: tuple[FillFigures, ...]
    days: tuple[DayFigures, ...]
    cpu_allocate: LatencyFigures
    cpu_free: LatencyFigures
    blocks: dict[int, float]
    million_s: Spread
    three_stages: dict[str, int]
