"""`kapellmeister calibrate`: the executors of this machine in numbers, and how true they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from controller.config.config import Config
from controller.executors.cpu.executor import BATCH_SIZES as PLANT_BATCH_SIZES
from controller.sensors.cpu import MachineSensor
from kapellmeister.calibration.executor import executor_bench
from kapellmeister.calibration.jack import jack_bench
from kapellmeister.calibration.samples import Looks, take_looks
from kapellmeister.calibration.subject import BATCH_SIZES, Bench
from kapellmeister.machine.description import Machine, describe_machine
from policies.knobs import SchedulingClass
from policies.latency import Calibration
from policies.observation import fresh
from simulators.calibration.calibration import (
    PERCENTILES,
    Fidelity,
    OperatingPoint,
    fit,
    joined,
    predict_bands,
    replay,
    sampling_errors,
    tabulate,
)

OpenBench: TypeAlias = Callable[[int], AbstractContextManager[Bench]]
"""A bench for so many streams at most, closed in the end whatever happens."""

BENCHES: dict[str, Callable[[Config, str, int], AbstractContextManager[Bench]]] = {
    "builtin": executor_bench,
    "jack": jack_bench,
}
PROBE_STREAMS = 256
BANDS = 12
LEAST_TOLERANCE = 0.1
FITTED_SHARES = (0.15, 0.3, 0.45, 0.6, 0.75)
HELD_OUT_SHARES = (0.22, 0.5, 0.7)
"""Of the streams at which a worker would compute all the time."""
PLAN = (
    *((share, size) for share in FITTED_SHARES for size in BATCH_SIZES),
    *((share, BATCH_SIZES[k % 2]) for k, share in enumerate(HELD_OUT_SHARES)),
)
QUIET_STEAL_SHARE = 0.001
QUIET_PREEMPTED_SHARE = 0.005
QUIET_LATE_SHARE = 0.002
QUIET_SLOW_SHARE = 0.02
LATE_MS = 1.0
"""A thread that wakes so late was not woken: a hypervisor does not count that as stolen."""
PREEMPTED_MS = 0.2


class PointFigures(BaseModel):
    """A held-out operating point; errors are relative, above zero where predicted too high.

    `sampling_errors` are relative standard errors of what was measured: as far as chance alone
    would take it in such a time.
    """

    model_config = ConfigDict(frozen=True)

    streams: int
    batch_size: int
    utilisation: float
    measured_ms: tuple[float, ...]
    sampling_errors: tuple[float, ...]
    predicted_ms: tuple[float, ...]
    errors: tuple[float, ...]
    deadline_ms: float
    measured_miss_rate: float
    predicted_miss_rate: float
    miss_rate_error: float | None


class CalibrationReport(BaseModel):
    """What was fitted, at which points, whether the machine was quiet, and what came of it.

    `repeated_share` is how many looks were taken again as too slow, as a part of those planned;
    `slow_share` the part of those kept that were no better.
    """

    model_config = ConfigDict(frozen=True)

    machine: Machine
    plant: str
    workload: str
    scheduling: str
    fixed_ms: float
    per_stream_ms: float
    valid_streams: tuple[int, int]
    steal_share: float | None
    preempted_share: float
    late_share: float
    slow_share: float
    repeated_share: float
    quiet: bool
    percentiles: tuple[float, ...]
    held_out: tuple[PointFigures, ...]


def calibrate(
    config: Config, plant: str, workload: str, seconds: float, progress: Callable[[float], None]
) -> tuple[Calibration, CalibrationReport]:
    """Measure a plant of `BENCHES`, fit it, and hold it against points that were not fitted."""
    sensor = MachineSensor()
    sensor.read()
    looks = _measure(partial(BENCHES[plant], config, workload), seconds, progress)
    points = [joined(each) for each in looks.parts]
    fitted = len(FITTED_SHARES) * len(BATCH_SIZES)
    machine = describe_machine()
    source = f"{plant}, {workload}, {looks.scheduling}, {machine.processor}"
    calibration = fit(points[:fitted], looks.period_ms, source)
    held_out = [replay(calibration, point, _deadline_ms(point)) for point in points[fitted:]]
    calibration = _with_predictions(calibration, held_out, looks.scheduling)
    steal = fresh(sensor.read()["cpu.steal_share"])
    preempted, late, slow = _preempted(points), _late(points), looks.slow_share
    quiet = (steal or 0.0) <= QUIET_STEAL_SHARE and slow <= QUIET_SLOW_SHARE
    quiet = quiet and preempted <= QUIET_PREEMPTED_SHARE and late <= QUIET_LATE_SHARE
    report = CalibrationReport(
        machine=machine,
        plant=plant,
        workload=workload,
        scheduling=looks.scheduling,
        fixed_ms=calibration.compute.fixed_ms,
        per_stream_ms=calibration.compute.per_stream_ms,
        valid_streams=calibration.valid_streams,
        steal_share=steal,
        preempted_share=preempted,
        late_share=late,
        slow_share=slow,
        repeated_share=looks.repeated_share,
        quiet=quiet,
        percentiles=PERCENTILES,
        held_out=tuple(map(_figures, held_out, looks.parts[fitted:])),
    )
    return calibration, report


def print_report(report: CalibrationReport, console: Console) -> None:
    """The law, the errors with their direction, and how far to trust them."""
    console.print(
        f"{report.plant}, {report.workload}, {report.scheduling}: a batch of n streams takes "
        f"{report.fixed_ms:.4f} ms + n x {1000 * report.per_stream_ms:.3f} us; "
        f"valid for {report.valid_streams[0]} to {report.valid_streams[1]} streams a worker"
    )
    table = Table(box=None, padding=(0, 1))
    heads = ("held out", "busy", "p50", "p95", "p99", "missed", "predicted", "error")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for point in report.held_out:
        found = zip(point.measured_ms, point.sampling_errors, point.errors, strict=True)
        off = point.miss_rate_error
        table.add_row(
            f"{point.streams} streams, {point.batch_size} a batch",
            f"{point.utilisation:.0%}",
            *(f"{ms:.3f} ms ±{by_chance:.1%} ({error:+.1%})" for ms, by_chance, error in found),
            f"{point.measured_miss_rate:.3%} of {point.deadline_ms:.2f} ms",
            f"{point.predicted_miss_rate:.3%}",
            "-" if off is None else f"{off:+.0%}",
        )
    console.print(table)
    console.print(
        "± is the standard error of what was measured, in brackets that of the prediction."
    )
    steal = "unknown" if report.steal_share is None else f"{report.steal_share:.2%}"
    state = "quiet" if report.quiet else "not quiet: the figures above hold only as far as it was"
    console.print(
        f"The machine was {state} ({steal} stolen by the hypervisor, "
        f"{report.preempted_share:.2%} of the batches interrupted, "
        f"{report.late_share:.2%} of the periods begun over {LATE_MS:.0f} ms late, "
        f"{report.slow_share:.2%} of the looks at a processor that was much slower than usual, "
        f"{report.repeated_share:.2%} taken again for that)."
    )


def _with_predictions(
    calibration: Calibration, held_out: Sequence[Fidelity], scheduling: str
) -> Calibration:
    """The same with what a live run must show, as exactly as the held-out points allow.

    And with what any number of streams and any batch size come to, for policies.
    """
    tolerance = max(LEAST_TOLERANCE, *(abs(each.errors[-1]) for each in held_out))
    low, high = calibration.valid_streams
    all_streams = sorted({round(each) for each in np.linspace(low, high, BANDS)})
    bands = predict_bands(calibration, all_streams, PLANT_BATCH_SIZES, tolerance)
    tables = tuple(tabulate(calibration, size) for size in PLANT_BATCH_SIZES)
    measured = SchedulingClass(scheduling)
    return replace(calibration, bands=bands, node_tables=tables, scheduling=measured)


def _measure(open_bench: OpenBench, seconds: float, progress: Callable[[float], None]) -> Looks:
    """The points of the plan, scaled to what one worker of this plant can do."""
    capacity = _capacity(open_bench)
    points = [(max(size, int(share * capacity)), size) for share, size in PLAN]
    with open_bench(capacity) as bench:
        return take_looks(bench, points, seconds, progress)


def _capacity(open_bench: OpenBench) -> int:
    """About how many streams keep one worker busy all the time, by a first look."""
    with open_bench(PROBE_STREAMS) as bench:
        point = bench.measure(PROBE_STREAMS, BATCH_SIZES[0], 1.0)
        per_stream_ms = float(np.median(point.service_ms / point.counts))
        return max(PROBE_STREAMS, int(bench.period_ms / per_stream_ms))


def _deadline_ms(point: OperatingPoint) -> float:
    """One that is missed often enough to compare: a machine at ease misses none of a period."""
    order = np.sort(np.repeat(point.latency_ms, point.counts))
    return float(order[int(0.98 * order.size)])


def _preempted(points: Sequence[OperatingPoint]) -> float:
    """Share of the batches that took much longer than the processor time they used."""
    away_ms = np.concatenate([point.service_ms - point.batches["cpu_ns"] / 1e6 for point in points])
    return float((away_ms > PREEMPTED_MS).mean())


def _late(points: Sequence[OperatingPoint]) -> float:
    """Share of the periods that the worker slept before, and then began late."""
    return float((np.concatenate([point.lateness_ms for point in points]) > LATE_MS).mean())


def _figures(point: Fidelity, parts: Sequence[OperatingPoint]) -> PointFigures:
    return PointFigures(
        streams=point.streams,
        batch_size=point.batch_size,
        utilisation=point.utilisation,
        measured_ms=point.measured_ms,
        sampling_errors=sampling_errors(parts),
        predicted_ms=point.predicted_ms,
        errors=point.errors,
        deadline_ms=point.deadline_ms,
        measured_miss_rate=point.measured_miss_rate,
        predicted_miss_rate=point.predicted_miss_rate,
        miss_rate_error=point.miss_rate_error,
    )
