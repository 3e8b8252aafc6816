"""The whole of `bench cluster`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import numpy as np

from controller.sensors.cpu import MachineSensor
from kapellmeister.bench.cluster.figures import ClusterReport, PlaneFigures, RatioFigures
from kapellmeister.bench.cluster.plane import PERIOD_FRAMES, SAMPLE_RATE_HZ, STREAMS, Open
from kapellmeister.bench.cluster.planes import GOALS, PLANES
from kapellmeister.bench.cluster.rounds import Windows, measured
from kapellmeister.bench.spread import Spread
from kapellmeister.machine.description import describe_machine
from kapellmeister.terminal.progress import Progress, unseen
from policies.observation import fresh

WORKERS = (2, 4)


def bench_cluster(
    windows: int,
    rounds: int,
    shown: Progress = unseen,
    planes: Mapping[str, Open] = PLANES,
) -> ClusterReport:
    """Measure `windows` of `rounds` of every plane, with 2 and with 4 workers.

    Raises LinkError where a link of ours breaks meanwhile.
    """
    sensor, load = MachineSensor(), os.getloadavg()[0]
    sensor.read()
    figures = [
        each
        for workers in WORKERS
        for each in plane_figures(workers, *measured(planes, workers, windows, rounds, shown))
    ]
    return ClusterReport(
        machine=describe_machine(),
        steal_share=fresh(sensor.read()["cpu.steal_share"]),
        load=load,
        windows=windows,
        rounds=rounds,
        streams=STREAMS,
        period_frames=PERIOD_FRAMES,
        sample_rate_hz=SAMPLE_RATE_HZ,
        planes=tuple(figures),
    )


def plane_figures(
    workers: int, times: Mapping[str, Windows], remarks: Mapping[str, str]
) -> Iterator[PlaneFigures]:
    """Figures of each plane, from times in microseconds, and rows for those without."""
    medians = {
        name: [float(np.median(window)) for window in taken] for name, taken in times.items()
    }
    for name in (*times, *remarks):
        p50s = medians.get(name)
        yield PlaneFigures(
            name=name,
            workers=workers,
            remark=remarks.get(name),
            p50_us=None if p50s is None else Spread.of(p50s),
            p99_us=None if p50s is None else Spread.of(_p99s(times[name])),
            against=_against(name, medians),
        )


def _against(name: str, medians: Mapping[str, list[float]]) -> RatioFigures | None:
    if name not in GOALS:
        return None
    other, goal = GOALS[name]
    if name not in medians or other not in medians:
        return RatioFigures(other=other, ratio=None, goal=goal)
    pairs = zip(medians[name], medians[other], strict=True)
    return RatioFigures(other=other, ratio=Spread.of([a / b for a, b in pairs]), goal=goal)


def _p99s(windows: Windows) -> list[float]:
    return [float(np.quantile(window, 0.99)) for window in windows]
