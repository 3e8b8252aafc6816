"""What the serving nodes of a simulated plant did in one control interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.closed_form import IntervalLevel, Law
from simulators.draws import uniform
from simulators.kernels import BIN_EDGES_MS
from simulators.level import Level, NodeState, Work


@dataclass(frozen=True, slots=True)
class Service:
    """Blocks and misses of an interval, the quantiles of its latency, and how busy nodes were.

    `latency_ms` holds the 50 %, 95 %, 99 % quantiles and the maximum; None where no block was
    finished. `busiest` and `utilisation` (the mean) are shares of the period. What the
    latencies of a whole simulation are made of is in `laws`, with the blocks under each, or
    in `histogram`, by the bins of `BIN_EDGES_MS`.
    """

    blocks: int = 0
    missed: int = 0
    latency_ms: tuple[float, float, float, float] | None = None
    utilisation: float = 0.0
    busiest: float = 0.0
    laws: tuple[tuple[Law, int], ...] = ()
    histogram: NDArray[np.int64] | None = None


Group = tuple[Work, Sequence[int]]
"""Nodes, by their numbers, that have the same work."""


class Server(Protocol):
    """Serves one interval at one level of detail."""

    def serve(self, groups: Sequence[Group], periods: int, first_period: int, seed: int) -> Service:
        """All serving nodes, grouped by their work."""
        ...


class IntervalServer:
    """By the closed form: nodes with the same work have the same law."""

    def __init__(self, level: IntervalLevel) -> None:
        self._level = level

    def serve(self, groups: Sequence[Group], periods: int, first_period: int, seed: int) -> Service:
        """The laws of all nodes, mixed; a fraction of a missed block falls to chance."""
        blocks = nodes = most = 0
        missed = busy = busiest = 0.0
        common = slowest = None
        laws = []
        for work, numbers in groups:
            law = self._level.law(work)
            submitted = len(numbers) * work.streams * periods
            blocks += submitted
            laws.append((law, submitted))
            missed += submitted * law.miss_rate
            nodes += len(numbers)
            busy += len(numbers) * law.utilisation
            busiest = max(busiest, law.utilisation)
            if submitted > most:
                most, common = submitted, law
            if slowest is None or law.p99_ms > slowest.p99_ms:
                slowest = law
        if common is None or slowest is None:
            return Service(utilisation=busy / nodes if nodes else 0.0)
        whole = int(missed + uniform(seed, 0, first_period, 0))
        latency_ms = common.p50_ms, slowest.p95_ms, slowest.p99_ms, slowest.max_ms
        mean = busy / nodes
        return Service(blocks, min(whole, blocks), latency_ms, mean, busiest, tuple(laws))


class BlockServer:
    """Block by block or batch by batch; every node carries its backlog over."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._states: dict[int, NodeState] = {}

    def serve(self, groups: Sequence[Group], periods: int, first_period: int, seed: int) -> Service:
        """Advance each node; one that is new begins without a backlog."""
        states, self._states = self._states, {}
        histogram: NDArray[np.int64] = np.zeros(BIN_EDGES_MS.size - 1, np.int64)
        blocks = missed = 0
        busy: list[float] = []
        for work, numbers in groups:
            for number in numbers:
                state = states.get(number) or NodeState.idle(first_period, number)
                self._states[number], outcome = self._level.advance(state, work, periods, seed)
                blocks += outcome.blocks
                missed += outcome.missed
                busy.append(outcome.utilisation)
                histogram += outcome.histogram
        if not busy:
            return Service()
        return Service(
            blocks=blocks,
            missed=missed,
            latency_ms=quantiles(histogram),
            utilisation=sum(busy) / len(busy),
            busiest=max(busy),
            histogram=histogram,
        )


def quantiles(histogram: NDArray[np.int64]) -> tuple[float, float, float, float] | None:
    """The 50 %, 95 %, 99 % quantiles and the maximum of binned latencies, at upper bin edges."""
    total = int(histogram.sum())
    if not total:
        return None
    cumulated = np.cumsum(histogram)
    ranks = np.ceil(np.array([0.5, 0.95, 0.99, 1.0]) * total)
    p50, p95, p99, most = BIN_EDGES_MS[1 + np.searchsorted(cumulated, ranks)]
    return float(p50), float(p95), float(p99), float(most)
