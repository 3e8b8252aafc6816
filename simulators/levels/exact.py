"""The exact levels: every batch of every period of a node, one after the other.

The stages feed forward and so does the code: it sweeps the batches of a period stage by stage
and needs no calendar of events. A batch holds blocks of one period, since they share a
deadline. What has not begun to be computed when its play-out comes is dropped, so that
overload stays bounded.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from policies.latency import Calibration
from simulators.levels.closed_form import arrivals_ms
from simulators.levels.draws import draw_from, origin
from simulators.levels.level import NodeState, Outcome, Work
from simulators.levels.pieces import Pieces

LOWEST_MS = 0.01
"""Milliseconds at which the first bin of latencies begins."""
RATIO = 1.005
"""Upper edge of a bin, as a multiple of its lower edge."""
BINS = 2400
BINS_A_FOLD = 1.0 / math.log(RATIO)
"""Bins in which a latency grows e-fold."""
BIN_EDGES_MS: NDArray[np.float64] = np.geomspace(LOWEST_MS, LOWEST_MS * RATIO**BINS, BINS + 1)
PLAY_OUT_PERIODS = 2.0
"""Periods from capture to play-out: one to the deadline, and one of buffer."""
JITTER, RESIDUAL, LATENESS, WAKING, COMMON = (k << 20 for k in range(5))
"""Items at which each kind of draw begins within a period."""
JITTERS = 4096
"""Entries of a table of jitters."""
BINARY_GRID = 2.0**20
"""Steps in a millisecond to which jitters are rounded, so that sums of them are exact."""

Floats = NDArray[np.float64]


class _Exact:
    """The sweep of a pipeline, with its constants as the compiled code takes them."""

    def __init__(self, calibration: Calibration, deadline_ms: float | None) -> None:
        self.calibration = calibration
        self.deadline_ms = deadline_ms or calibration.period_ms
        self._arguments: dict[Work, tuple[object, ...]] = {}

    def sweep(
        self, state: NodeState, work: Work, periods: int, seed: int, jitters: Floats
    ) -> tuple[NodeState, Outcome]:
        """Move a node on; without `jitters` its blocks arrive by the mean profile."""
        period_ms = self.calibration.period_ms
        histogram = np.zeros(BINS, np.int64)
        sums = np.zeros(6)
        carry_ms = state.carry_ms.copy()
        if work.streams and periods:
            _sweep(
                carry_ms, histogram, sums, seed, state.node, state.period, periods, jitters,
                *self._constants(work),
            )  # fmt: skip
        else:
            carry_ms[:] = np.maximum(carry_ms - periods * period_ms, 0.0)
        blocks = work.streams * periods
        busy = sums[2] / (periods * period_ms) if periods else 0.0
        stage_ms = sums[1:5] / max(1, blocks)
        following = NodeState(carry_ms, state.period + periods, state.node)
        return following, Outcome(blocks, int(sums[0]), histogram, stage_ms, busy)

    def _constants(self, work: Work) -> tuple[object, ...]:
        """The sweep's arguments for this work, worked out once."""
        found = self._arguments.get(work)
        if found is None:
            found = self._arguments[work] = self._worked_out(work)
        return found

    def _worked_out(self, work: Work) -> tuple[object, ...]:
        calibration = self.calibration
        compute = calibration.compute_for(work.streams)
        return (
            work.streams,
            work.batch_size,
            calibration.period_ms,
            self.deadline_ms,
            arrivals_ms(calibration, work),
            *_transfer(calibration, work),
            compute.fixed_ms * work.slowdown,
            compute.per_stream_ms * work.slowdown,
            np.asarray(compute.residuals.table(work.contended)),
            compute.correlation,
            np.asarray(compute.lateness_ms.table(work.contended)),
            *_post(calibration, work),
            *_link(calibration, work),
        )


class BatchLevel:
    """Greedy batches on the mean arrival profile: what varies is the work, not the arrivals."""

    def __init__(self, calibration: Calibration, deadline_ms: float | None = None) -> None:
        self._exact = _Exact(calibration, deadline_ms)

    def advance(
        self, state: NodeState, work: Work, periods: int, seed: int
    ) -> tuple[NodeState, Outcome]:
        """Move one node through so many periods."""
        return self._exact.sweep(state, work, periods, seed, np.empty(0))


class BlockLevel:
    """Exact: every block of every stream arrives by a draw of its own."""

    def __init__(self, calibration: Calibration, deadline_ms: float | None = None) -> None:
        self._exact = _Exact(calibration, deadline_ms)
        self._jitters = jitter_table(calibration)

    def advance(
        self, state: NodeState, work: Work, periods: int, seed: int
    ) -> tuple[NodeState, Outcome]:
        """Move one node through so many periods."""
        return self._exact.sweep(state, work, periods, seed, self._jitters)


def jitter_table(calibration: Calibration) -> Floats:
    """Equally likely delays from capture to arrival, ascending, milliseconds."""
    middle = (np.arange(JITTERS) + 0.5) / JITTERS
    late_ms = -calibration.arrival_jitter_ms * np.log1p(-middle)
    late_ms = np.minimum(late_ms, 0.9 * calibration.period_ms)
    return np.asarray(np.rint(late_ms * BINARY_GRID) / BINARY_GRID)


def _transfer(calibration: Calibration, work: Work) -> tuple[int, float, float]:
    """Streams in a piece of input, its overhead and the time of a stream; 0 without a transfer."""
    if calibration.transfer is None:
        return work.streams, 0.0, 0.0
    pieces = Pieces.of(calibration.transfer, work.vram_block_bytes)
    return pieces.streams, pieces.overhead_ms, pieces.stream_ms


def _post(calibration: Calibration, work: Work) -> tuple[Floats, int, float]:
    post = calibration.post
    if post is None:
        return np.zeros(1), 1, 0.0
    lateness = post.lateness_ms[work.scheduling].table(work.contended)
    return np.asarray(lateness), post.threads, post.per_stream_ms


def _link(calibration: Calibration, work: Work) -> tuple[float, float]:
    link = calibration.link
    if link is None:
        return 0.0, 0.0
    latency_ms = link.hops(work.nodes) * link.latency_ms * work.link_factor
    return latency_ms, link.per_stream_ms * link.sharers(work.nodes) * work.link_factor


@njit(cache=True)
def bin_of(latency_ms):  # type: ignore[no-untyped-def]
    """The bin of `BIN_EDGES_MS` that a latency falls into."""
    cell = int(math.log(max(latency_ms, LOWEST_MS) / LOWEST_MS) * BINS_A_FOLD)
    return min(cell, BINS - 1)


@njit(cache=True)
def _arrive(arrived, noise, jitters, drawn):  # type: ignore[no-untyped-def]
    """Draw when each stream of a period arrives, in ascending order, into `arrived`."""
    for stream in range(arrived.size):
        drawn[stream] = int(draw_from(noise, JITTER + stream) * jitters.size)
    drawn.sort()
    for stream in range(arrived.size):
        arrived[stream] = jitters[drawn[stream]]


@njit(cache=True)
def _transferred(arrived, free, streams_a_piece, overhead_ms, stream_ms, sums):  # type: ignore[no-untyped-def]
    """Put off `arrived` to the end of each stream's piece; when the next one can begin."""
    first = 0
    while overhead_ms + stream_ms > 0.0 and first < arrived.size:
        last = min(first + streams_a_piece, arrived.size)
        took_ms = overhead_ms + (last - first) * stream_ms
        free = max(free, arrived[last - 1]) + took_ms
        sums[1] += took_ms * (last - first)
        arrived[first:last] = free
        first = last
    return free


@njit(cache=True)
def _sweep(  # type: ignore[no-untyped-def]
    carry_ms, histogram, sums, seed, node, first_period, periods, jitters, streams, batch_size,
    period_ms, deadline_ms, ready, streams_a_piece, piece_ms, transfer_ms, fixed_ms, per_stream_ms,
    residuals, correlation, waking, lateness, threads, post_ms, link_latency_ms, link_ms,
):  # fmt: skip
    """All periods of an interval; `carry_ms` is what each stage still has to do, in and out.

    Adds to `histogram`, and to `sums`: missed blocks, then the time that blocks spent in each
    stage, of which the second counts a batch once (it is the server's own time).
    """
    arrived = ready.copy()
    drawn = np.empty(streams, np.int64)
    transfer_free, compute_free, post_free, link_free = carry_ms
    for period in range(first_period, first_period + periods):
        noise = origin(seed, node, period)
        if jitters.size > 0:
            _arrive(arrived, noise, jitters, drawn)
            transfer_free = _transferred(
                arrived, transfer_free, streams_a_piece, piece_ms, transfer_ms, sums
            )
        served, batch = 0, 0
        while served < streams:
            start = max(compute_free, arrived[served])
            if compute_free <= arrived[served]:
                start += waking[int(draw_from(noise, WAKING + batch) * waking.size)]
            if start >= PLAY_OUT_PERIODS * period_ms:
                sums[0] += streams - served
                histogram[bin_of(PLAY_OUT_PERIODS * period_ms)] += streams - served
                break
            most = min(served + batch_size, streams)
            end = most if arrived[most - 1] <= start else served + 1
            while end < most and arrived[end] <= start:
                end += 1
            size = end - served
            draw = draw_from(noise, RESIDUAL + batch)
            if correlation > 0.0 and draw_from(noise, COMMON + 1 + batch) < correlation:
                draw = draw_from(noise, COMMON)
            service = (fixed_ms + size * per_stream_ms) * residuals[int(draw * residuals.size)]
            compute_free = start + service
            late = int(draw_from(noise, LATENESS + batch) * lateness.size)
            late_start = compute_free + lateness[late]
            work_ms = math.ceil(size / threads) * post_ms
            post_free = max(post_free, late_start) + work_ms
            link_free = max(link_free, post_free) + size * link_ms
            latency = link_free + link_latency_ms
            sums[2] += service
            sums[3] += work_ms * size
            sums[4] += size * link_ms * size
            if latency > deadline_ms:
                sums[0] += size
            histogram[bin_of(latency)] += size
            served = end
            batch += 1
        transfer_free = max(transfer_free - period_ms, 0.0)
        compute_free = max(compute_free - period_ms, 0.0)
        post_free = max(post_free - period_ms, 0.0)
        link_free = max(link_free - period_ms, 0.0)
    carry_ms[0], carry_ms[1], carry_ms[2], carry_ms[3] = (
        transfer_free, compute_free, post_free, link_free,
    )  # fmt: skip
