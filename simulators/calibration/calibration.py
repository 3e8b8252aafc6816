"""A pipeline in numbers, fitted to the stamps of real executors, and how true it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from policies.latency import QUANTILES, Band, Calibration, Compute, Knot, NodeTable, Residuals
from simulators.levels.exact import BIN_EDGES_MS, BatchLevel, BlockLevel
from simulators.levels.level import SATURATED, NodeState, Work

PERCENTILES = (0.50, 0.95, 0.99)
REPLAYED_PERIODS = 100_000
BAND_SECONDS = 300
"""Seconds played for each band of latency."""
RESAMPLES = 200
TABLE_S = 120
"""Seconds played for each entry of a table of nodes."""
TABLE_SHARES = tuple(np.arange(1, 27) / 20.0)
"""Streams of a table, as shares of those at which a worker would compute all the time."""
NS_IN_MS = 1e6
HELD_UP = 2.0
"""Service time, as a multiple of the law, beyond which a batch was held up."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class OperatingPoint:
    """A worker at work on so many streams, in batches of at most `batch_size`.

    `batches` holds the executor's BATCH records in order; `blocks` is how many periods passed.
    `block_bytes` is the size of the pieces in which input came in; None where it comes as it is.
    """

    streams: int
    batch_size: int
    blocks: int
    batches: NDArray[np.void]
    block_bytes: int | None = None

    @property
    def counts(self) -> NDArray[np.int64]:
        """Streams in each batch."""
        return np.asarray(self.batches["count"], np.int64)

    @property
    def latency_ms(self) -> Floats:
        """Latency from the capture of a block until its batch was finished, milliseconds."""
        return _ms(self.batches["finish_ns"] - self.batches["captured_ns"])

    @property
    def waited(self) -> NDArray[np.bool_]:
        """Whether the worker slept until the block was there."""
        return np.asarray(self.batches["ready_ns"] <= self.batches["captured_ns"])

    @property
    def lateness_ms(self) -> Floats:
        """Lateness of the worker, each time that it had slept."""
        late = self.batches["start_ns"] - self.batches["captured_ns"]
        return _ms(late[self.waited])

    @property
    def service_ms(self) -> Floats:
        """Time of each batch: from its start, or from the end of the one before it."""
        begun = np.where(self.waited, self.batches["start_ns"], self.batches["ready_ns"])
        return _ms(self.batches["finish_ns"] - begun)

    def miss_rate(self, deadline_ms: float) -> float:
        """Share of the blocks that were later than this, or never rendered."""
        on_time = self.counts[self.latency_ms <= deadline_ms].sum()
        return float(1.0 - on_time / (self.streams * self.blocks))

    def percentiles_ms(self) -> tuple[float, ...]:
        """Latency of a block, at `PERCENTILES`."""
        order = np.argsort(self.latency_ms)
        cumulated = np.cumsum(self.counts[order])
        ranks = np.searchsorted(cumulated, np.array(PERCENTILES) * cumulated[-1])
        return tuple(float(each) for each in self.latency_ms[order][ranks])


def joined(parts: Sequence[OperatingPoint]) -> OperatingPoint:
    """An operating point that was observed in several parts, in the order of time."""
    blocks = sum(part.blocks for part in parts)
    return replace(parts[0], blocks=blocks, batches=np.concatenate([p.batches for p in parts]))


def sampling_errors(parts: Sequence[OperatingPoint]) -> tuple[float, ...]:
    """Relative standard errors of the percentiles of all parts together, by a bootstrap.

    Whole parts are drawn, since what happens within one is alike.
    """
    generator = np.random.default_rng(1)
    draws = generator.integers(0, len(parts), (RESAMPLES, len(parts)))
    found = np.array([joined([parts[k] for k in draw]).percentiles_ms() for draw in draws])
    return tuple(float(each) for each in found.std(axis=0) / found.mean(axis=0))


@dataclass(frozen=True, slots=True)
class Fidelity:
    """An operating point that was not fitted: measured and predicted, in the same figures."""

    streams: int
    batch_size: int
    utilisation: float
    deadline_ms: float
    measured_ms: tuple[float, ...]
    predicted_ms: tuple[float, ...]
    measured_miss_rate: float
    predicted_miss_rate: float

    @property
    def errors(self) -> tuple[float, ...]:
        """Relative, at `PERCENTILES`; above zero where the prediction is too high."""
        pairs = zip(self.measured_ms, self.predicted_ms, strict=True)
        return tuple(predicted / measured - 1.0 for measured, predicted in pairs)

    @property
    def miss_rate_error(self) -> float | None:
        """Relative error of the miss rate; None where nothing was missed."""
        if self.measured_miss_rate <= 0.0:
            return None
        return self.predicted_miss_rate / self.measured_miss_rate - 1.0


def fit(points: Sequence[OperatingPoint], period_ms: float, source: str) -> Calibration:
    """The laws (a + b n) times a residual that are nearest to these operating points.

    One law for each number of streams that was seen in batches of different sizes, since a
    busier processor is faster, and one for all of them. Raises ValueError where no two
    batches differ in size.
    """
    streams = sorted({point.streams for point in points})
    at = {each: [point for point in points if point.streams == each] for each in streams}
    knots = [
        Knot(each, _law(held))
        for each, held in at.items()
        if len({int(size) for point in held for size in point.counts}) > 1
    ]
    return Calibration(
        period_ms=period_ms,
        arrival_jitter_ms=0.0,
        compute=_law(points),
        knots=tuple(knots),
        valid_streams=(streams[0], streams[-1]),
        source=source,
    )


def _law(points: Sequence[OperatingPoint]) -> Compute:
    """a and b through the median service times of each batch size; what varied, as it did.

    A batch that follows another shows the law; by how much the first of a period usually
    took longer, after a sleep, is counted as late waking, for its caches are cold.
    """
    waited = np.concatenate([point.waited for point in points])
    sizes = np.concatenate([point.counts for point in points])
    service_ms = np.concatenate([point.service_ms for point in points])
    warm = ~waited if np.unique(sizes[~waited]).size > 1 else np.ones(waited.size, np.bool_)
    fixed_ms, per_stream_ms = _line(sizes[warm], service_ms[warm])
    law_ms = fixed_ms + per_stream_ms * sizes
    factors = service_ms / law_ms
    held_up = factors > HELD_UP
    cold_ms = 0.0
    if not warm.all():
        cold_ms = max(0.0, float(np.median((service_ms - law_ms)[waited])))
    typical_ms = law_ms + cold_ms * waited
    delays_ms = [
        _delays_ms(point, typical_ms[place], held_up[place])
        for point, place in zip(points, _places(points), strict=True)
    ]
    even = warm & ~held_up
    return Compute(
        fixed_ms=fixed_ms,
        per_stream_ms=per_stream_ms,
        residuals=_table(factors[even]),
        lateness_ms=_table(np.concatenate(delays_ms) + cold_ms),
        correlation=_correlation(factors[even], _periods(points)[even]),
    )


def _places(points: Sequence[OperatingPoint]) -> list[slice]:
    """The place of each point's batches when those of all are put together."""
    ends = np.cumsum([0, *(len(point.batches) for point in points)])
    return [slice(int(low), int(high)) for low, high in pairwise(ends)]


def _periods(points: Sequence[OperatingPoint]) -> NDArray[np.int64]:
    """A number for each batch that only those of the same period share, ascending."""
    blocks = np.concatenate([point.batches["block"] for point in points])
    return np.cumsum(np.diff(blocks, prepend=blocks[0]) != 0)


def _delays_ms(point: OperatingPoint, typical_ms: Floats, held_up: NDArray[np.bool_]) -> Floats:
    """Delay of each stream when its batch was finished, in periods after a sleep.

    The worker woke so late, and lost so much since to batches that took far too long: a
    thread that is taken off its processor loses a time, whatever it is doing.
    """
    lost_ms = np.where(held_up, point.service_ms - typical_ms, 0.0)
    late_ms = _ms(point.batches["start_ns"] - point.batches["captured_ns"])
    periods = _periods([point])
    first = np.flatnonzero(np.diff(periods, prepend=-1))
    before_ms = np.cumsum(lost_ms) - lost_ms
    delays_ms = (late_ms - before_ms)[first][periods] + np.cumsum(lost_ms)
    slept = point.waited[first][periods]
    return np.asarray(np.repeat(delays_ms[slept], point.counts[slept]))


def _correlation(factors: Floats, periods: NDArray[np.int64]) -> float:
    """The chance to share a residual that explains how alike the batches of a period are.

    Two of them share it with its square, which is their rank correlation: the part of the
    ranks' variance that lies between the periods.
    """
    ranks = rankdata(factors)
    _, place, counts = np.unique(periods, return_inverse=True, return_counts=True)
    several = (counts > 1)[place]
    if several.sum() <= 2 or ranks[several].std() == 0.0:
        return 0.0
    means = np.bincount(place, ranks) / counts
    within = float(((ranks - means[place])[several] ** 2).sum() / (counts - 1)[counts > 1].sum())
    return float(np.sqrt(max(0.0, 1.0 - within / ranks[several].var())))


def replay(calibration: Calibration, point: OperatingPoint, deadline_ms: float) -> Fidelity:
    """An operating point as the calibration predicts it, beside what was measured there."""
    work = _work(point.streams, point.batch_size, point.block_bytes)
    level = BlockLevel(calibration, deadline_ms)
    _, outcome = level.advance(NodeState.idle(0), work, REPLAYED_PERIODS, seed=1)
    return Fidelity(
        streams=point.streams,
        batch_size=point.batch_size,
        utilisation=calibration.utilisation(point.streams, point.batch_size),
        deadline_ms=deadline_ms,
        measured_ms=point.percentiles_ms(),
        predicted_ms=_percentiles_ms(outcome.histogram),
        measured_miss_rate=point.miss_rate(deadline_ms),
        predicted_miss_rate=outcome.missed / outcome.blocks,
    )


def predict_bands(
    calibration: Calibration,
    all_streams: Sequence[int],
    batch_sizes: Sequence[int],
    tolerance: float,
) -> tuple[Band, ...]:
    """The p99 that a second of a live run must show, by the law played for many seconds.

    Between the 0.5 % and the 99.5 % quantile of a second's p99, each moved outwards by the
    share `tolerance`. All under the `block_bytes` of the calibration.
    """
    level, periods = BatchLevel(calibration), round(1000.0 / calibration.period_ms)
    bands = []
    for streams, batch_size in product(all_streams, batch_sizes):
        work = _work(streams, batch_size, calibration.block_bytes)
        state, seconds_ms = NodeState.idle(0), list[float]()
        for _ in range(BAND_SECONDS):
            state, outcome = level.advance(state, work, periods, seed=2)
            seconds_ms.append(_percentiles_ms(outcome.histogram)[-1])
        low_ms, high_ms = np.quantile(seconds_ms, (0.005, 0.995))
        low_ms, high_ms = float(low_ms) / (1.0 + tolerance), float(high_ms) * (1.0 + tolerance)
        bands.append(Band(streams, batch_size, low_ms, high_ms))
    return tuple(bands)


def tabulate(calibration: Calibration, batch_size: int) -> NodeTable:
    """The law played out for nodes ever fuller, until one misses nearly everything."""
    level, periods = BatchLevel(calibration), round(1000.0 * TABLE_S / calibration.period_ms)
    stable = calibration.stable_streams(batch_size)
    rows: list[tuple[int, float, float]] = []
    for streams in sorted({max(1, round(share * stable)) for share in TABLE_SHARES}):
        work = _work(streams, batch_size, calibration.block_bytes)
        _, outcome = level.advance(NodeState.idle(0), work, periods, seed=3)
        rows.append((streams, outcome.missed / outcome.blocks, min(1.0, outcome.utilisation)))
        if rows[-1][1] > SATURATED:
            break
    streams_of, missed, busy = zip(*rows, strict=True)
    rising = np.maximum.accumulate(missed).tolist()
    return NodeTable(batch_size, streams_of, tuple(rising), busy)


def _work(streams: int, batch_size: int, block_bytes: int | None) -> Work:
    """Work of one node; where input comes as it is, blocks of memory are of no account."""
    if block_bytes is None:
        return Work(streams, batch_size)
    return Work(streams, batch_size, block_bytes)


def _percentiles_ms(histogram: NDArray[np.int64]) -> tuple[float, ...]:
    """Quantiles of binned latencies, at `PERCENTILES`, in the middle of their bins."""
    cumulated = np.cumsum(histogram)
    ranks = np.searchsorted(cumulated, np.array(PERCENTILES) * cumulated[-1])
    middles = np.sqrt(BIN_EDGES_MS[ranks] * BIN_EDGES_MS[ranks + 1])
    return tuple(float(each) for each in middles)


def _line(sizes: NDArray[np.int64], service_ms: Floats) -> tuple[float, float]:
    """Intercept and slope through the medians of each size, both positive."""
    distinct, seen = np.unique(sizes, return_counts=True)
    if distinct.size < 2:
        raise ValueError("all batches have one size: nothing tells a batch's cost from a stream's")
    medians = np.array([np.median(service_ms[sizes == size]) for size in distinct])
    slope, intercept = np.polyfit(distinct, medians, 1, w=np.sqrt(seen) / medians)
    return max(0.0, float(intercept)), max(1e-9, float(slope))


def _table(values: Floats) -> Residuals:
    """Residuals of as many quantiles as a table holds; the contended regime is not known."""
    places = (np.arange(QUANTILES) + 0.5) / QUANTILES
    table = tuple(float(each) for each in np.quantile(values, places))
    return Residuals(table, table)


def _ms(nanoseconds: NDArray[np.int64]) -> Floats:
    return np.asarray(nanoseconds / NS_IN_MS, np.float64)
