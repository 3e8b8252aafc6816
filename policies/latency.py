"""A pipeline in numbers: what each stage of a block costs, and how that varies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from policies.knobs import SchedulingClass, Settings, ThreadClasses

Topology = Literal["star", "tree", "mesh"]
STAGES = ("transfer_in", "compute", "post", "gather")
"""The stages of a block in the order in which it passes them."""
LEAST_MISS_RATE = 1e-12
"""Miss rate where nothing was missed: its logarithm is finite."""
QUANTILES = 1024
"""Entries of a residual table: the 0.05 % to the 99.95 % quantile, evenly spaced."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """Variation, as equally likely values, ascending, in two regimes.

    Factors multiply a service time: 1 is the fitted law itself. They come in spells: while
    the processor is contended for, they are drawn from `contended`. A lateness is a time.
    """

    quiet: tuple[float, ...] = (1.0,)
    contended: tuple[float, ...] = (1.0,)

    def table(self, contended: bool) -> tuple[float, ...]:
        """The values of one regime."""
        return self.contended if contended else self.quiet


def lognormal(variation: float, size: int = QUANTILES) -> tuple[float, ...]:
    """Equally likely factors of mean 1 and this coefficient of variation, ascending."""
    if variation <= 0.0:
        return (1.0,)
    sigma = math.sqrt(math.log1p(variation**2))
    normal = NormalDist(-0.5 * sigma**2, sigma)
    return tuple(math.exp(normal.inv_cdf((k + 0.5) / size)) for k in range(size))


@dataclass(frozen=True, slots=True)
class Transfer:
    """Input goes to the device in pieces of `vram_block_bytes`, and states stay there.

    A stream brings `bytes_per_stream` in each period. A piece takes `overhead_ms`, and its bytes at
    `bytes_per_ms`; it holds whole streams. Each stream's state of `state_bytes`, None: as many as
    it brings, has its place in an arena of `memory_bytes`, whose slabs are of the same
    `vram_block_bytes`.
    """

    bytes_per_stream: int = 2048
    overhead_ms: float = 0.01
    bytes_per_ms: float = 1.2e7
    memory_bytes: int = 1 << 24
    state_bytes: int | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of the state that a stream holds on the device."""
        return self.bytes_per_stream if self.state_bytes is None else self.state_bytes


@dataclass(frozen=True, slots=True)
class Compute:
    """A batch of n streams takes (`fixed_ms` + n `per_stream_ms`) times a residual.

    A server that had to wait for its first block starts late by a value out of `lateness_ms`
    (equally likely): the time in which a sleeping thread wakes and its caches warm. Batches
    of one period have their residual in common with probability `correlation` each, and
    otherwise one of their own: whatever slows one down tends to slow down its neighbours.
    """

    fixed_ms: float = 0.40
    per_stream_ms: float = 0.02
    residuals: Residuals = field(default_factory=lambda: Residuals(lognormal(0.2), lognormal(0.5)))
    lateness_ms: Residuals = Residuals((0.0,), (0.0,))
    correlation: float = 0.0


@dataclass(frozen=True, slots=True)
class Knot:
    """Compute costs on a node with so many streams: busier processors run faster."""

    streams: int
    compute: Compute


@dataclass(frozen=True, slots=True)
class Band:
    """Bounds of the 99 % quantile of a second, of a node with so many streams.

    `low_ms` and `high_ms` are latencies from capture to finish; a second in a hundred lies
    outside by chance.
    """

    streams: int
    batch_size: int
    low_ms: float
    high_ms: float


@dataclass(frozen=True, slots=True)
class NodeTable:
    """Misses of a node, and how busy it is, with batches of one size.

    `miss_rates` and `utilisation` are those with as many `streams`, which ascend; between them
    they are interpolated.
    """

    batch_size: int
    streams: tuple[int, ...]
    miss_rates: tuple[float, ...]
    utilisation: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late a thread starts, milliseconds, by its scheduling class: what others do to it."""

    realtime: Residuals = Residuals((0.01, 0.02, 0.05), (0.02, 0.05, 0.1))
    normal: Residuals = Residuals((0.01, 0.02, 0.08), (0.05, 0.5, 4.0))
    batch: Residuals = Residuals((0.02, 0.05, 0.2), (0.1, 2.0, 8.0))
    idle: Residuals = Residuals((0.02, 0.1, 0.5), (0.5, 8.0, 40.0))

    def __getitem__(self, scheduling: SchedulingClass) -> Residuals:
        found: Residuals = getattr(self, scheduling.value)
        return found


@dataclass(frozen=True, slots=True)
class Post:
    """Each finished stream takes `per_stream_ms` on one of `threads` processors of its node.

    A thread starts late by a value out of `lateness_ms` (equally likely) of its scheduling
    class and regime.
    """

    threads: int = 4
    per_stream_ms: float = 0.002
    lateness_ms: Lateness = Lateness()


@dataclass(frozen=True, slots=True)
class Link:
    """The way of the sound from the nodes to the output.

    A message takes `latency_ms` a hop and `per_stream_ms` for each stream in it. A star has
    one hop, on which all nodes share the output's link; a tree has ceil(log2 n) hops, each
    shared by two; in a mesh every node has a link of its own.
    """

    topology: Topology = "star"
    latency_ms: float = 0.02
    per_stream_ms: float = 0.00002

    def hops(self, nodes: int) -> int:
        """Links that a message passes."""
        return max(1, math.ceil(math.log2(nodes))) if self.topology == "tree" else 1

    def sharers(self, nodes: int) -> int:
        """Nodes that send over one link at a time."""
        return {"star": nodes, "tree": min(2, nodes), "mesh": 1}[self.topology]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A pipeline as it was measured, or as someone describes it; frozen once fitted.

    A stream's block arrives `arrival_jitter_ms` (mean of an exponential law, cut off at 0.9
    of a period) after its capture. A stage that is None costs nothing. Where `knots` are
    given, by ascending streams, compute is interpolated between them, quantile by quantile.
    Contention comes in spells of `contended_mean_s` that fill `contended_share` of the time.
    `valid_streams` is the range of streams a node for which the figures hold, and `bands` what
    a live run must show if they still do; `node_tables` is what all that comes to on a node whose
    audio threads are scheduled by `scheduling`, and whose knob `vram_block_bytes` is at
    `block_bytes` (None: it has none). `source` says where the figures are from.
    """

    period_ms: float = 1000.0 * 256 / 48_000
    arrival_jitter_ms: float = 0.15
    transfer: Transfer | None = None
    compute: Compute = field(default_factory=Compute)
    post: Post | None = None
    link: Link | None = None
    knots: tuple[Knot, ...] = ()
    contended_share: float = 0.0
    contended_mean_s: float = 5.0
    valid_streams: tuple[int, int] = (1, 1 << 16)
    bands: tuple[Band, ...] = ()
    node_tables: tuple[NodeTable, ...] = ()
    scheduling: SchedulingClass = SchedulingClass.NORMAL
    block_bytes: int | None = None
    source: str = "a described pipeline"

    def compute_for(self, streams: int) -> Compute:
        """Compute costs on a node with so many streams; beyond the knots as at the last."""
        after = next((k for k, knot in enumerate(self.knots) if knot.streams >= streams), None)
        if not self.knots:
            return self.compute
        if after is None or after == 0:
            return self.knots[-1 if after is None else 0].compute
        low, high = self.knots[after - 1], self.knots[after]
        return _between(low, high, (streams - low.streams) / (high.streams - low.streams))

    def band(self, streams: int, batch_size: int) -> Band | None:
        """The band in which a node with these streams must lie, between the two nearest.

        None where nothing was predicted: for another batch size, and beyond the bands.
        """
        bands = [each for each in self.bands if each.batch_size == batch_size]
        for low, high in pairwise(sorted(bands, key=lambda each: each.streams)):
            if low.streams <= streams <= high.streams:
                part = (streams - low.streams) / (high.streams - low.streams)
                low_ms = low.low_ms + part * (high.low_ms - low.low_ms)
                high_ms = low.high_ms + part * (high.high_ms - low.high_ms)
                return Band(streams, batch_size, low_ms, high_ms)
        return None

    def demand_ms(self, streams: float, batch_size: int) -> float:
        """Mean compute time of one period's blocks: m a + S b with m = ceil(S / B)."""
        batches = math.ceil(streams / batch_size)
        return batches * self.compute.fixed_ms + streams * self.compute.per_stream_ms

    def utilisation(self, streams: float, batch_size: int) -> float:
        """Part of the period that a node with these streams computes; stable below 1."""
        return self.demand_ms(streams, batch_size) / self.period_ms

    def stable_streams(self, batch_size: int) -> float:
        """Streams a node at which it computes all the time: T / (a / B + b)."""
        per_stream_ms = self.compute.fixed_ms / batch_size + self.compute.per_stream_ms
        return self.period_ms / per_stream_ms


class LatencyModel(Protocol):
    """Misses and work of one node, by how many streams it has and how the knobs stand.

    None is the answer for settings of which nothing is known.
    """

    def miss_rates(self, settings: Settings) -> NDArray[np.float64] | None:
        """Miss rate of a node with 0, 1, 2, ... streams, never falling; fuller ones miss all."""
        ...

    def utilisation(self, streams: float, settings: Settings) -> float | None:
        """Part of its time that a node with so many streams computes, at most 1."""
        ...


class TabulatedLatency:
    """The node tables of a calibration, while its scheduling and its blocks are in force."""

    def __init__(self, calibration: Calibration) -> None:
        self._scheduling, self._block_bytes = calibration.scheduling, calibration.block_bytes
        self._tables = {table.batch_size: table for table in calibration.node_tables}
        self._miss_rates = {size: _spelled_out(table) for size, table in self._tables.items()}

    def miss_rates(self, settings: Settings) -> NDArray[np.float64] | None:
        """Miss rate of a node with 0, 1, 2, ... streams, never falling; fuller ones miss all."""
        table = self._table(settings)
        return None if table is None else self._miss_rates[table.batch_size]

    def utilisation(self, streams: float, settings: Settings) -> float | None:
        """Part of its time that a node with so many streams computes, at most 1."""
        table = self._table(settings)
        if table is None:
            return None
        busy = np.interp(streams, (0, *table.streams), (0.0, *table.utilisation), right=1.0)
        return float(min(1.0, busy))

    def _table(self, settings: Settings) -> NodeTable | None:
        classes, batch_size = settings.get("thread_classes"), settings.get("batch_size")
        if not isinstance(classes, ThreadClasses) or not isinstance(batch_size, int):
            return None
        known = classes.audio.scheduling is self._scheduling
        known = known and settings.get("vram_block_bytes") == self._block_bytes
        return self._tables.get(batch_size) if known else None


def _spelled_out(table: NodeTable) -> NDArray[np.float64]:
    """The miss rate at every number of streams, its logarithm interpolated between those known."""
    logarithms = np.log(np.maximum(table.miss_rates, LEAST_MISS_RATE))
    rates = np.exp(np.interp(np.arange(table.streams[-1] + 1), table.streams, logarithms))
    return np.maximum.accumulate(np.where(rates < 2 * LEAST_MISS_RATE, 0.0, rates))


@lru_cache(maxsize=4096)
def _between(low: Knot, high: Knot, part: float) -> Compute:
    def mixed(a: float, b: float) -> float:
        return (1.0 - part) * a + part * b

    def table(a: Residuals, b: Residuals) -> Residuals:
        return Residuals(
            tuple(map(mixed, a.quiet, b.quiet)), tuple(map(mixed, a.contended, b.contended))
        )

    one, two = low.compute, high.compute
    return Compute(
        mixed(one.fixed_ms, two.fixed_ms),
        mixed(one.per_stream_ms, two.per_stream_ms),
        table(one.residuals, two.residuals),
        table(one.lateness_ms, two.lateness_ms),
        mixed(one.correlation, two.correlation),
    )
