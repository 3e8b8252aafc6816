"""A simulation fitted to an executor in virtual time, at points that were not fitted."""

from __future__ import annotations

from collections.abc import Iterator

from kapellmeister.bench.simulator.figures import TwinFigures
from policies.latency import Calibration, Compute, Residuals, lognormal
from simulators.calibration.calibration import Fidelity, fit, replay
from simulators.calibration.virtual_time import play

VIRTUAL = Calibration(
    arrival_jitter_ms=0.0,
    compute=Compute(
        fixed_ms=0.3,
        per_stream_ms=0.02,
        residuals=Residuals(lognormal(0.15), lognormal(0.15)),
        lateness_ms=Residuals((0.02, 0.03, 0.05, 0.12), (0.02,)),
    ),
)
VIRTUAL_BLOCKS = 30_000
FITTED = ((60, 32), (110, 32), (150, 32), (60, 64), (110, 64), (150, 64))
HELD_OUT = ((90, 32), (130, 64), (170, 64))
"""Streams and batch size of each operating point."""


def twin() -> Iterator[TwinFigures]:
    """Errors of the fitted law at each point held out."""
    points = [
        play(VIRTUAL, streams, size, VIRTUAL_BLOCKS, seed)
        for seed, (streams, size) in enumerate(FITTED)
    ]
    calibration = fit(points, VIRTUAL.period_ms, "virtual time")
    for seed, (streams, size) in enumerate(HELD_OUT, start=len(FITTED)):
        point = play(VIRTUAL, streams, size, VIRTUAL_BLOCKS, seed)
        yield _twin_figures(replay(calibration, point, VIRTUAL.period_ms))


def _twin_figures(found: Fidelity) -> TwinFigures:
    p50_error, _, p99_error = found.errors
    return TwinFigures(
        streams=found.streams,
        batch_size=found.batch_size,
        p50_error=p50_error,
        p99_error=p99_error,
        miss_rate=found.measured_miss_rate,
        miss_rate_error=found.miss_rate_error,
    )
