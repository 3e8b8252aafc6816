"""The interval level: what a node does to its blocks, as distributions instead of events.

A period is a walk of the server through its batches. Here the walk is done once for all
possible instants at which the server may be free: a grid of time carries the probability,
and the residuals of the service law spread it (the queue D/G/1 on a grid; Tijms, A First
Course in Stochastic Models, 2003, ch. 9). What is left of a period is carried into the next,
until the carry-over no longer changes. Residuals are taken as independent, whatever their
correlation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from policies.knobs import SchedulingClass
from policies.latency import Calibration, Compute
from simulators.levels.level import SATURATED, Work
from simulators.levels.pieces import Pieces

GRID_MS = 0.02
"""Milliseconds of a cell of the grid of time."""
TOLERANCE = 1e-8
"""Change of the carry-over, in probability, at which it counts as settled."""
MOST_OVERLOAD = 1.5
"""Streams of which a law is worked out, as a multiple of what a node can keep up with."""
EXTRAPOLATE_EVERY = 6
"""Periods from one extrapolation of the carry-over to the next."""
MOST_PERIODS = 500
"""Periods after which the carry-over of an overloaded node counts as settled."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """The lot of the blocks of one node in a period, in the long run.

    `latencies` holds the share of the blocks that end k `GRID_MS` after capture; it sums to 1
    where there are blocks. `utilisation` is the share of the period computed.
    """

    miss_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    utilisation: float
    latencies: Floats


class IntervalLevel:
    """Laws of a pipeline's nodes, each worked out once."""

    def __init__(self, calibration: Calibration, deadline_ms: float | None = None) -> None:
        self._calibration = calibration
        self._deadline_ms = deadline_ms or calibration.period_ms
        self._laws: dict[Work, Law] = {}
        self._ends: dict[Work, tuple[Floats, float]] = {}

    def law(self, work: Work) -> Law:
        """The law of a node with this work, whichever node it is."""
        law = self._laws.get(work)
        if law is None:
            law = self._laws[work] = self._worked_out(work)
        return law

    def miss_rates(self, streams_max: int, batch_size: int) -> Floats:
        """Miss rate of a node by its streams, from 0 to `streams_max`, in the quiet regime.

        It never falls with the streams. Where one node misses nearly all, fuller ones miss all.
        """
        rates = np.ones(streams_max + 1)
        for streams in range(streams_max + 1):
            rates[streams] = self.law(quiet_work(streams, batch_size)).miss_rate
            if rates[streams] > SATURATED:
                break
        return np.maximum.accumulate(rates)

    def _worked_out(self, work: Work) -> Law:
        grid = _Grid.of(self._calibration)
        if work.streams == 0:
            return Law(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.zeros(grid.cells))
        ends, busy_ms = self._served(work, grid)
        latencies = _after_compute(self._calibration, work, ends / work.streams)
        latencies /= latencies.sum()
        times_ms = GRID_MS * np.arange(latencies.size)
        late = times_ms > self._deadline_ms + 1e-9
        cumulated = np.cumsum(latencies)
        ranks = np.searchsorted(cumulated, (0.5, 0.95, 0.99, 1.0 - 1e-7))
        p50, p95, p99, most = times_ms[np.minimum(ranks, latencies.size - 1)]
        return Law(
            miss_rate=min(1.0, float(latencies[late].sum())),
            p50_ms=float(p50),
            p95_ms=float(p95),
            p99_ms=float(p99),
            max_ms=float(most),
            utilisation=min(1.0, busy_ms / self._calibration.period_ms),
            latencies=latencies,
        )

    def _served(self, work: Work, grid: _Grid) -> tuple[Floats, float]:
        """Batches by when they end; what is far too much for a node is dropped at its play-out.

        An overloaded node serves as much as it can, however much more there is, so that
        nothing beyond `MOST_OVERLOAD` need be worked out.
        """
        most = self._calibration.stable_streams(work.batch_size) / work.slowdown
        served = min(work.streams, int(MOST_OVERLOAD * most) + 1)
        ends, busy_ms = self._computed(replace(work, streams=served), grid)
        if served < work.streams:
            ends = ends.copy()
            ends[2 * grid.period] += work.streams - served
        return ends, busy_ms

    def _computed(self, work: Work, grid: _Grid) -> tuple[Floats, float]:
        """Batches by when they end, which neither the threads nor the link after them change."""
        alike = replace(work, nodes=1, link_factor=1.0, scheduling=SchedulingClass.NORMAL)
        found = self._ends.get(alike)
        if found is None:
            ready_ms = arrivals_ms(self._calibration, work)
            arrived = _arrived(ready_ms, grid)
            compute = self._calibration.compute_for(work.streams)
            largest = min(work.batch_size, work.streams)
            services, starts = _services(compute, largest, work.contended, work.slowdown)
            waking = _on_grid(np.asarray(compute.lateness_ms.table(work.contended)))
            ready = ready_ms / GRID_MS
            found = _settle(ready, arrived, services, starts, waking, grid.period)
            self._ends[alike] = found
        return found


def quiet_work(streams: int, batch_size: int) -> Work:
    """The work of a lone node that nothing disturbs."""
    return Work(
        streams=streams,
        batch_size=batch_size,
        vram_block_bytes=1 << 17,
        scheduling=SchedulingClass.NORMAL,
        contended=False,
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """Cells of `GRID_MS`: of a period, and of the longest time that a walk can take."""

    period: int
    cells: int

    @classmethod
    def of(cls, calibration: Calibration) -> _Grid:
        period = round(calibration.period_ms / GRID_MS)
        return cls(period, 4 * period)


def arrivals_ms(calibration: Calibration, work: Work) -> Floats:
    """Milliseconds after capture when the k-th of a period's streams is ready to be computed.

    The mean profile of the jitter, at the middle of each stream's share of it; where there is
    a transfer, not before the piece that holds the stream has arrived.
    """
    streams = work.streams
    middle = (np.arange(streams) + 0.5) / streams
    jitter = -calibration.arrival_jitter_ms * np.log1p(-middle)
    ready = np.minimum(jitter, 0.9 * calibration.period_ms)
    transfer = calibration.transfer
    if transfer is None:
        return ready
    pieces = Pieces.of(transfer, work.vram_block_bytes)
    ends, free_ms = np.empty(streams), 0.0
    for first in range(0, streams, pieces.streams):
        last = min(first + pieces.streams, streams)
        free_ms = max(ready[last - 1], free_ms) + pieces.took_ms(last - first)
        ends[first:last] = free_ms
    return ends


def _arrived(ready_ms: Floats, grid: _Grid) -> NDArray[np.int64]:
    """Streams that have arrived by each cell of the grid."""
    times_ms = GRID_MS * np.arange(grid.cells)
    return np.searchsorted(ready_ms, times_ms + 1e-12, side="right").astype(np.int64)


@lru_cache(maxsize=256)
def _services(
    compute: Compute, largest: int, contended: bool, slowdown: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Distributions of the service time of 1 to `largest` streams, one after the other, in cells.

    Returns the probabilities and, for each size, where its own begin; each is split between
    two neighbouring cells so that its mean is exact.
    """
    factors = np.asarray(compute.residuals.table(contended)) * slowdown
    means_ms = compute.fixed_ms + np.arange(1, largest + 1) * compute.per_stream_ms
    laws = [_on_grid(mean_ms * factors) for mean_ms in means_ms]
    starts = np.cumsum([0] + [law.size for law in laws])
    return np.concatenate(laws), starts.astype(np.int64)


def _on_grid(times_ms: Floats) -> Floats:
    """Probabilities of equally likely times, each split between two cells: the mean is exact."""
    cells = times_ms / GRID_MS
    whole = np.floor(cells).astype(np.int64)
    part = cells - whole
    law = np.pad(np.bincount(whole, 1.0 - part), (0, 1))
    law += np.bincount(whole + 1, part, minlength=law.size)[: law.size]
    return np.asarray(law / times_ms.size)


@njit(cache=True)
def _walk(  # type: ignore[no-untyped-def]  # noqa: C901 - one sweep, as compiled code is
    free, ready, arrived, services, starts, waking, period, ends
):
    """Walk a period, for every instant at which the server may become free at its beginning.

    `free` is the probability of each such instant, `ready` the arrival of each stream in cells.
    Adds blocks by their end to `ends` and returns the probabilities for the next period, and
    the mean time computed in cells.
    """
    streams, cells, largest = ready.size, free.size, starts.size - 1
    mass = np.zeros((streams + 1, cells))
    mass[streams] = free
    following = np.zeros(cells)
    busy = 0.0
    for left in range(streams, 0, -1):
        served = streams - left
        for cell in range(cells):
            probability = mass[left, cell]
            if probability < 1e-11:
                continue
            idle = ready[served] >= cell
            for woken in range(waking.size if idle else 1):
                chance = probability * waking[woken] if idle else probability
                if chance <= 0.0:
                    continue
                instant = ready[served] + woken if idle else float(cell)
                start = int(instant)
                late = instant - start
                if start >= 2 * period:  # play-out has come: what has not begun is dropped
                    ends[2 * period] += chance * left
                    following[min(start - period, cells - 1)] += chance
                    continue
                waiting = max(1, arrived[start] - served)
                while served + waiting < streams and ready[served + waiting] <= instant:
                    waiting += 1
                size = min(waiting, largest)
                offset = starts[size - 1]
                for step in range(starts[size] - offset):
                    part = services[offset + step] * chance
                    if part > 0.0:
                        end = min(start + step, cells - 2)
                        busy += part * step
                        ends[end] += part * size * (1.0 - late)
                        ends[end + 1] += part * size * late
                        mass[left - size, end] += part * (1.0 - late)
                        mass[left - size, end + 1] += part * late
    for cell in range(cells):
        if mass[0, cell] > 0.0:
            following[max(cell - period, 0)] += mass[0, cell]
    return following, busy


@njit(cache=True)
def _settle(ready, arrived, services, starts, waking, period):  # type: ignore[no-untyped-def]
    """Blocks by the cell in which they end, and milliseconds computed, in the long run.

    Near saturation the carry-over settles slowly, by the same factor in each period; now and
    then the rest of that way is taken at once (Aitken's extrapolation).
    """
    free = np.zeros(arrived.size)
    free[0] = 1.0
    ends = np.zeros(arrived.size)
    busy = change = 0.0
    for step in range(1, MOST_PERIODS + 1):
        ends[:] = 0.0
        following, busy = _walk(free, ready, arrived, services, starts, waking, period, ends)
        following /= following.sum()
        difference = following - free
        before, change = change, np.abs(difference).sum()
        free = following
        if change < TOLERANCE:
            break
        factor = change / before if before > 0.0 else 0.0
        if step % EXTRAPOLATE_EVERY == 0 and factor < 0.999:
            free = np.maximum(free + difference * (factor / (1.0 - factor)), 0.0)
            free /= free.sum()
            change = 0.0
    return ends, busy * GRID_MS


def _after_compute(calibration: Calibration, work: Work, ends: Floats) -> Floats:
    """The latencies once the threads have started late and the link was passed."""
    delay_ms = 0.0
    latencies = ends
    if calibration.post is not None:
        post = calibration.post
        batch = min(work.batch_size, work.streams)
        delay_ms += math.ceil(batch / post.threads) * post.per_stream_ms
        lateness = np.asarray(post.lateness_ms[work.scheduling].table(work.contended))
        cells = np.round(lateness / GRID_MS).astype(np.int64)
        latencies = np.convolve(latencies, np.bincount(cells) / cells.size)
    if calibration.link is not None:
        link = calibration.link
        batch = min(work.batch_size, work.streams)
        message_ms = link.hops(work.nodes) * link.latency_ms
        message_ms += batch * link.per_stream_ms * link.sharers(work.nodes)
        delay_ms += message_ms * work.link_factor
    return np.pad(latencies, (round(delay_ms / GRID_MS), 0))
