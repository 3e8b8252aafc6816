"""The block level once more, as an event simulation: to check the exact levels, and to time them.

Stage by stage a process of its own, with a queue and an event each, written as the levels'
documentation describes the pipeline and not as they compute it. On the same draws both come
to the same to the last bit, where all times lie `on_binary_grid`, so that sums of them are
exact in whichever order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.knobs import SchedulingClass
from policies.latency import Calibration, Residuals
from simulators.levels.draws import uniform
from simulators.levels.exact import (
    BINARY_GRID,
    BINS,
    COMMON,
    JITTER,
    LATENESS,
    PLAY_OUT_PERIODS,
    RESIDUAL,
    WAKING,
    bin_of,
    jitter_table,
)
from simulators.levels.level import Work
from simulators.levels.pieces import Pieces

COARSE = 2.0**10
"""Steps in 1 to which factors are rounded: a double holds a time by a factor exactly."""


@dataclass(slots=True)
class Reference:
    """Missed blocks, and latencies counted in the bins of the exact levels."""

    missed: int = 0
    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))


@dataclass(slots=True)
class _Queue:
    """A first-in first-out queue whose one reader can wait until something is in it."""

    environment: Any
    items: deque[Any] = field(default_factory=deque)
    arrived: Any = None

    def put(self, item: Any) -> None:
        self.items.append(item)
        if self.arrived is not None:
            self.arrived.succeed()
            self.arrived = None

    def not_empty(self) -> Any:
        """An event that comes with the next item."""
        self.arrived = self.environment.event()
        return self.arrived


@dataclass(slots=True)
class _Batch:
    period: int
    size: int
    number: int
    ended_ms: float


class SimPyPipeline:
    """A node: transfer, greedy batches, threads, link; every block an item of its own."""

    def __init__(
        self, calibration: Calibration, work: Work, periods: int, seed: int, node: int = 0
    ) -> None:
        import simpy

        self._calibration = calibration
        self._work = work
        self._periods = periods
        self._seed = seed
        self._node = node
        self._environment = environment = simpy.Environment()
        self._captured, self._ready = _Queue(environment), _Queue(environment)
        self._computed, self._posted = _Queue(environment), _Queue(environment)
        self._reference = Reference()
        self._jitters = jitter_table(calibration)
        self._taken: dict[int, int] = {}

    def run(self) -> Reference:
        """Play all periods, and what is left over after the last."""
        stages = [self._source(), self._compute()]
        stages += [self._transfer()] if self._calibration.transfer is not None else []
        stages += [self._post()] if self._calibration.post is not None else []
        stages += [self._link()]
        for stage in stages:
            self._environment.process(stage)
        self._environment.run()
        return self._reference

    def _source(self) -> Generator[Any, Any, None]:
        """Blocks arrive late by a draw of their own."""
        environment, work = self._environment, self._work
        first = self._captured if self._calibration.transfer is not None else self._ready
        for period in range(self._periods):
            for stream in range(work.streams):
                draw = uniform(self._seed, self._node, period, JITTER + stream)
                late_ms = float(self._jitters[int(draw * self._jitters.size)])
                arrival = environment.timeout(late_ms, period)
                arrival.callbacks.append(lambda event: first.put((event.value, environment.now)))
            yield environment.timeout(self._calibration.period_ms)

    def _transfer(self) -> Generator[Any, Any, None]:
        """Pieces of input: as many streams as fit, of one period, once the last is there."""
        transfer, work = self._calibration.transfer, self._work
        if transfer is None:
            return
        pieces = Pieces.of(transfer, work.vram_block_bytes)
        for period in range(self._periods):
            left = work.streams
            while left:
                size = min(pieces.streams, left)
                while len(self._captured.items) < size:
                    yield self._captured.not_empty()
                for _ in range(size):
                    self._captured.items.popleft()
                yield self._environment.timeout(pieces.took_ms(size))
                for _ in range(size):
                    self._ready.put((period, self._environment.now))
                left -= size

    def _compute(self) -> Generator[Any, Any, None]:
        """Batches of what waits of one period; one that begins at its play-out is dropped."""
        environment, work = self._environment, self._work
        compute = self._calibration.compute_for(work.streams)
        residuals = compute.residuals.table(work.contended)
        waking = compute.lateness_ms.table(work.contended)
        queue, period, number, dropped = self._ready, -1, 0, -1
        following = self._computed if self._calibration.post is not None else self._posted
        while True:
            if not queue.items:
                yield queue.not_empty()
            current, arrived_ms = queue.items[0]
            waited = arrived_ms == environment.now
            if current != period:
                period, number = current, 0
            if waited and period != dropped:
                draw = uniform(self._seed, self._node, period, WAKING + number)
                yield environment.timeout(waking[int(draw * len(waking))])
            yield environment.timeout(0)  # all that arrives at this instant is there now
            if period == dropped:
                queue.items.popleft()
                continue
            relative_ms = environment.now - period * self._calibration.period_ms
            if relative_ms >= PLAY_OUT_PERIODS * self._calibration.period_ms:
                dropped = period
                self._drop(period)
                continue
            size = 0
            while queue.items and queue.items[0][0] == period and size < work.batch_size:
                queue.items.popleft()
                size += 1
            draw = self._residual(period, number)
            service_ms = compute.fixed_ms * work.slowdown + size * (
                compute.per_stream_ms * work.slowdown
            )
            yield environment.timeout(service_ms * residuals[int(draw * len(residuals))])
            self._taken[period] = self._taken.get(period, 0) + size
            following.put(_Batch(period, size, number, environment.now))
            number += 1

    def _residual(self, period: int, batch: int) -> float:
        """A place in the table: the batch's own, or what its period has in common."""
        seed, node = self._seed, self._node
        correlation = self._calibration.compute_for(self._work.streams).correlation
        common = uniform(seed, node, period, COMMON + 1 + batch) < correlation
        return float(uniform(seed, node, period, COMMON if common else RESIDUAL + batch))

    def _drop(self, period: int) -> None:
        """All blocks of a period that were in no batch."""
        left = self._work.streams - self._taken.get(period, 0)
        self._reference.missed += left
        most = bin_of(PLAY_OUT_PERIODS * self._calibration.period_ms)
        self._reference.histogram[most] += left

    def _post(self) -> Generator[Any, Any, None]:
        """Threads finish the batches in order; each starts as late as its class may."""
        post, work, environment = self._calibration.post, self._work, self._environment
        if post is None:
            return
        lateness = post.lateness_ms[work.scheduling].table(work.contended)
        while True:
            while not self._computed.items:
                yield self._computed.not_empty()
            batch: _Batch = self._computed.items.popleft()
            draw = uniform(self._seed, self._node, batch.period, LATENESS + batch.number)
            start_ms = batch.ended_ms + lateness[int(draw * len(lateness))]
            if start_ms > environment.now:
                yield environment.timeout(start_ms - environment.now)
            yield environment.timeout(math.ceil(batch.size / post.threads) * post.per_stream_ms)
            self._posted.put(batch)

    def _link(self) -> Generator[Any, Any, None]:
        """Messages leave one after the other; then the block is at the output."""
        link, work, environment = self._calibration.link, self._work, self._environment
        period_ms = self._calibration.period_ms
        per_stream_ms = latency_ms = 0.0
        if link is not None:
            per_stream_ms = link.per_stream_ms * link.sharers(work.nodes) * work.link_factor
            latency_ms = link.hops(work.nodes) * link.latency_ms * work.link_factor
        while True:
            while not self._posted.items:
                yield self._posted.not_empty()
            batch: _Batch = self._posted.items.popleft()
            yield environment.timeout(batch.size * per_stream_ms)
            total_ms = environment.now - batch.period * period_ms + latency_ms
            if total_ms > period_ms:
                self._reference.missed += batch.size
            self._reference.histogram[bin_of(total_ms)] += batch.size


def on_binary_grid(calibration: Calibration) -> Calibration:
    """The pipeline with every time rounded to a grid on which sums are exact."""
    compute = calibration.compute
    residuals, late = compute.residuals, compute.lateness_ms
    rounded = replace(
        calibration,
        period_ms=_rounded(calibration.period_ms),
        compute=replace(
            compute,
            fixed_ms=_rounded(compute.fixed_ms, COARSE),
            per_stream_ms=_rounded(compute.per_stream_ms, COARSE),
            residuals=Residuals(_all(residuals.quiet, COARSE), _all(residuals.contended, COARSE)),
            lateness_ms=Residuals(_all(late.quiet), _all(late.contended)),
        ),
    )
    if calibration.transfer is not None:
        power = 2.0 ** round(math.log2(calibration.transfer.bytes_per_ms))
        overhead_ms = _rounded(calibration.transfer.overhead_ms)
        transfer = replace(calibration.transfer, overhead_ms=overhead_ms, bytes_per_ms=power)
        rounded = replace(rounded, transfer=transfer)
    if calibration.post is not None:
        tables = calibration.post.lateness_ms
        lateness = {
            each.value: Residuals(_all(tables[each].quiet), _all(tables[each].contended))
            for each in SchedulingClass
        }
        post = replace(
            calibration.post,
            per_stream_ms=_rounded(calibration.post.per_stream_ms),
            lateness_ms=replace(tables, **lateness),
        )
        rounded = replace(rounded, post=post)
    if calibration.link is not None:
        link = calibration.link
        link = replace(
            link,
            latency_ms=_rounded(link.latency_ms),
            per_stream_ms=_rounded(link.per_stream_ms),
        )
        rounded = replace(rounded, link=link)
    return rounded


def _rounded(value: float, steps: float = BINARY_GRID) -> float:
    """The nearest on the grid; what is not nothing does not become it."""
    return max(1.0 if value > 0.0 else 0.0, round(value * steps)) / steps


def _all(values: tuple[float, ...], steps: float = BINARY_GRID) -> tuple[float, ...]:
    return tuple(_rounded(value, steps) for value in values)
