"""Each coarser level of the simulator beside the finer one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from kapellmeister.bench.simulator.figures import LevelFigures
from kapellmeister.bench.simulator.pipelines import PIPELINES
from policies.latency import Calibration
from simulators.levels.closed_form import IntervalLevel
from simulators.levels.exact import BatchLevel, BlockLevel
from simulators.levels.level import NodeState, Outcome, Work
from simulators.plant.service import quantiles

LEVEL_PERIODS = 200_000
LEVEL_STREAMS = {16: (70, 80, 88, 94, 98), 64: (100, 120, 140)}
FEWEST_MISSES = 1e-4
"""Miss rate below which nothing is compared: too few blocks tell it."""


def _works() -> Iterator[tuple[str, Calibration, Work]]:
    for (name, calibration), (batch_size, all_streams) in product(
        PIPELINES.items(), LEVEL_STREAMS.items()
    ):
        for streams in all_streams:
            yield name, calibration, Work(streams, batch_size)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Figures that two levels are compared by."""

    p99_ms: float
    miss_rate: float

    @classmethod
    def of(cls, outcome: Outcome) -> _Seen:
        latency_ms = quantiles(outcome.histogram)
        if latency_ms is None:
            raise ValueError("no block was finished")
        return cls(latency_ms[2], outcome.missed / outcome.blocks)


def batch_beside_block() -> Iterator[LevelFigures]:
    """The batch level against the block level, at every operating point."""
    for name, calibration, work in _works():
        exact, batch = (
            level.advance(NodeState.idle(0), work, LEVEL_PERIODS, seed=1)[1]
            for level in (BlockLevel(calibration), BatchLevel(calibration))
        )
        finer, coarser = _Seen.of(exact), _Seen.of(batch)
        yield _compared("batch", "block", name, work, exact.utilisation, finer, coarser)


def interval_beside_batch() -> Iterator[LevelFigures]:
    """The interval level against the batch level, at every operating point."""
    for name, calibration, work in _works():
        _, played = BatchLevel(calibration).advance(NodeState.idle(0), work, LEVEL_PERIODS, seed=1)
        law, finer = IntervalLevel(calibration).law(work), _Seen.of(played)
        coarser = _Seen(law.p99_ms, law.miss_rate)
        yield _compared("interval", "batch", name, work, played.utilisation, finer, coarser)


def _compared(
    level: str,
    against: str,
    pipeline: str,
    work: Work,
    utilisation: float,
    finer: _Seen,
    coarser: _Seen,
) -> LevelFigures:
    tells = finer.miss_rate >= FEWEST_MISSES
    return LevelFigures(
        level=level,
        against=against,
        pipeline=pipeline,
        streams=work.streams,
        batch_size=work.batch_size,
        utilisation=utilisation,
        miss_rate=finer.miss_rate,
        p99_error=coarser.p99_ms / finer.p99_ms - 1.0,
        miss_rate_error=coarser.miss_rate / finer.miss_rate - 1.0 if tells else None,
    )
