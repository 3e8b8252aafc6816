"""The service of a simulated plant: its nodes over one control interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from policies.latency import Calibration
from policies.observation import Missing, Quantiles, Value
from simulators.levels.capacity import interval_level
from simulators.levels.closed_form import IntervalLevel, Law
from simulators.levels.draws import uniform
from simulators.levels.exact import BIN_EDGES_MS, BatchLevel, BlockLevel
from simulators.levels.level import Level, LevelName, NodeState, Work
from simulators.plant.nodes import Node


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """Latency and utilisation of the nodes over an interval.

    `latency` is of a block; `busiest` and `utilisation` (the mean) are shares of the period.
    All latencies are in `laws`, with the blocks a period under each, or in `histogram`, by the
    bins of `BIN_EDGES_MS`.
    """

    latency: Quantiles
    utilisation: Value
    busiest: Value
    laws: tuple[tuple[Law, int], ...] = ()
    histogram: NDArray[np.int64] | None = None


NO_PERFORMANCE = Performance(
    Quantiles(*(Missing("no block was finished"),) * 4), Value(0.0), Value(0.0)
)


Service = tuple[int, int, Performance]
"""Blocks and misses of an interval, and the performance of its nodes."""
NO_SERVICE: Service = (0, 0, NO_PERFORMANCE)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Each work, and how many nodes have it: the first so many, then the next so many.

    A server recognises the very same groups again, which is cheaper than comparing them.
    """

    parts: tuple[tuple[Work, int], ...] = ()


class Server(Protocol):
    """Serves one interval at one level of detail."""

    def serve(
        self, groups: Groups, nodes: Sequence[Node], periods: int, first_period: int, seed: int
    ) -> Service:
        """All serving nodes, grouped by their work."""
        ...


def make_server(level: LevelName, calibration: Calibration) -> Server:
    """The server of nodes at this level of detail."""
    match level:
        case "interval":
            return IntervalServer(interval_level(calibration))
        case "batch":
            return BlockServer(BatchLevel(calibration))
        case "block":
            return BlockServer(BlockLevel(calibration))


@dataclass(frozen=True, slots=True, eq=False)
class _Mixture:
    """The laws of all nodes in one, for each period."""

    blocks: int
    missed: float
    performance: Performance

    @classmethod
    def of(cls, laws: Sequence[tuple[Law, int, int]]) -> _Mixture:
        """The mixture of laws, given with the nodes under each and the streams of such a node."""
        nodes, blocks, most, missed, busy = 0, 0, -1, 0.0, 0.0
        common = slowest = busiest = laws[0][0]
        for law, count, streams in laws:
            held = count * streams
            nodes, blocks = nodes + count, blocks + held
            missed, busy = missed + held * law.miss_rate, busy + count * law.utilisation
            if held > most:
                common, most = law, held
            slowest = law if law.p99_ms > slowest.p99_ms else slowest
            busiest = law if law.utilisation > busiest.utilisation else busiest
        latency_ms = common.p50_ms, slowest.p95_ms, slowest.p99_ms, slowest.max_ms
        performance = Performance(
            latency=Quantiles(*map(Value, latency_ms)),
            utilisation=Value(busy / nodes),
            busiest=Value(busiest.utilisation),
            laws=tuple((law, count * streams) for law, count, streams in laws),
        )
        return cls(blocks, missed, performance)


class IntervalServer:
    """Serves by the closed form: nodes with the same work have the same law."""

    def __init__(self, level: IntervalLevel) -> None:
        self._level = level
        self._mixtures: dict[Groups, _Mixture] = {}

    def serve(
        self, groups: Groups, nodes: Sequence[Node], periods: int, first_period: int, seed: int
    ) -> Service:
        """The laws of all nodes, mixed; a fraction of a missed block falls to chance."""
        if not nodes:
            return NO_SERVICE
        mixture = self._mixtures.get(groups)
        if mixture is None:
            laws = [(self._level.law(work), count, work.streams) for work, count in groups.parts]
            mixture = self._mixtures[groups] = _Mixture.of(laws)
        blocks = mixture.blocks * periods
        missed = int(mixture.missed * periods + uniform(seed, 0, first_period, 0))
        return blocks, min(missed, blocks), mixture.performance


class BlockServer:
    """Serves block by block or batch by batch; every node carries its backlog over."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._states: dict[int, NodeState] = {}

    def serve(
        self, groups: Groups, nodes: Sequence[Node], periods: int, first_period: int, seed: int
    ) -> Service:
        """Advance each node; one that is new begins without a backlog."""
        states, self._states = self._states, {}
        histogram: NDArray[np.int64] = np.zeros(BIN_EDGES_MS.size - 1, np.int64)
        blocks = missed = 0
        busy: list[float] = []
        left = iter(nodes)
        for work, count in groups.parts:
            for node in islice(left, count):
                state = states.get(node.number) or NodeState.idle(first_period, node.number)
                self._states[node.number], outcome = self._level.advance(state, work, periods, seed)
                blocks += outcome.blocks
                missed += outcome.missed
                busy.append(outcome.utilisation)
                histogram += outcome.histogram
        if not busy:
            return NO_SERVICE
        latency_ms = quantiles(histogram)
        nothing = NO_PERFORMANCE.latency
        performance = Performance(
            latency=nothing if latency_ms is None else Quantiles(*map(Value, latency_ms)),
            utilisation=Value(sum(busy) / len(busy)),
            busiest=Value(max(busy)),
            histogram=histogram,
        )
        return blocks, missed, performance


def quantiles(histogram: NDArray[np.int64]) -> tuple[float, float, float, float] | None:
    """The 50 %, 95 %, 99 % quantiles and the maximum of binned latencies, at upper bin edges."""
    total = int(histogram.sum())
    if not total:
        return None
    cumulated = np.cumsum(histogram)
    ranks = np.ceil(np.array([0.5, 0.95, 0.99, 1.0]) * total)
    p50, p95, p99, most = BIN_EDGES_MS[1 + np.searchsorted(cumulated, ranks)]
    return float(p50), float(p95), float(p99), float(most)
