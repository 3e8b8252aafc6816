"""`kapellmeister calibrate`: the executors of this machine in numbers, and how true they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from controller.config.config import Config
from controller.executors.cpu.executor import BATCH_SIZES as PLANT_BATCH_SIZES
from controller.sensors.cpu import MachineSensor
from kapellmeister.calibration.executor import executor_subject
from kapellmeister.calibration.jack import jack_subject
from kapellmeister.calibration.report import LATE_MS, CalibrationReport, point_figures
from kapellmeister.calibration.samples import Samples, take_samples
from kapellmeister.calibration.subject import BATCH_SIZES, Subject
from kapellmeister.machine.description import Machine, describe_machine
from kapellmeister.terminal.progress import Progress, unseen
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

OpenSubject: TypeAlias = Callable[[int], AbstractContextManager[Subject]]
"""A subject for so many streams at most, closed in the end whatever happens."""

SUBJECTS: dict[str, Callable[[Config, str, int], AbstractContextManager[Subject]]] = {
    "builtin": executor_subject,
    "jack": jack_subject,
}
PROBE_STREAMS = 256
BANDS = 12
LEAST_TOLERANCE = 0.1
FITTED_SHARES = (0.15, 0.3, 0.45, 0.6, 0.75)
HELD_OUT_SHARES = (0.22, 0.5, 0.7)
"""Shares of the streams at which a worker would compute all the time."""
PLAN = (
    *((share, size) for share in FITTED_SHARES for size in BATCH_SIZES),
    *((share, BATCH_SIZES[k % 2]) for k, share in enumerate(HELD_OUT_SHARES)),
)
FITTED = len(FITTED_SHARES) * len(BATCH_SIZES)
QUIET_STEAL_SHARE = 0.001
QUIET_PREEMPTED_SHARE = 0.005
QUIET_LATE_SHARE = 0.002
QUIET_SLOW_SHARE = 0.02
PREEMPTED_MS = 0.2


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """A calibration, as `kapellmeister calibrate` takes it.

    `plant` is a key of `SUBJECTS`; each operating point is observed for `seconds`.
    """

    plant: str = "builtin"
    workload: str = "hrtf"
    seconds: float = 8.0


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, and how true it is."""

    calibration: Calibration
    report: CalibrationReport


def calibrate(options: CalibrateOptions, config: Config, progress: Progress = unseen) -> Calibrated:
    """Measure a plant of `SUBJECTS`, fit it, and hold it against points that were not fitted.

    Raises a KapellmeisterError for everything that the user can mend.
    """
    sensor = MachineSensor()
    sensor.read()
    with progress("observing") as advance:
        open_subject = partial(SUBJECTS[options.plant], config, options.workload)
        samples = _measure(open_subject, options.seconds, advance)
        points, machine = [joined(each) for each in samples.parts], describe_machine()
        source = f"{options.plant}, {options.workload}, {samples.scheduling}, {machine.processor}"
        calibration = fit(points[:FITTED], samples.period_ms, source)
        held_out = [replay(calibration, each, _deadline_ms(each)) for each in points[FITTED:]]
        calibration = _with_predictions(calibration, held_out, samples.scheduling)
        steal = fresh(sensor.read()["cpu.steal_share"])
        report = _report(options, calibration, samples, points, held_out, machine, steal)
    return Calibrated(calibration, report)


def _report(
    options: CalibrateOptions,
    calibration: Calibration,
    samples: Samples,
    points: Sequence[OperatingPoint],
    held_out: Sequence[Fidelity],
    machine: Machine,
    steal: float | None,
) -> CalibrationReport:
    preempted, late, slow = _preempted(points), _late(points), samples.slow_share
    quiet = (steal or 0.0) <= QUIET_STEAL_SHARE and slow <= QUIET_SLOW_SHARE
    quiet = quiet and preempted <= QUIET_PREEMPTED_SHARE and late <= QUIET_LATE_SHARE
    errors = map(sampling_errors, samples.parts[FITTED:])
    return CalibrationReport(
        machine=machine,
        plant=options.plant,
        workload=options.workload,
        scheduling=samples.scheduling,
        fixed_ms=calibration.compute.fixed_ms,
        per_stream_ms=calibration.compute.per_stream_ms,
        valid_streams=calibration.valid_streams,
        steal_share=steal,
        preempted_share=preempted,
        late_share=late,
        slow_share=slow,
        repeated_share=samples.repeated_share,
        quiet=quiet,
        percentiles=PERCENTILES,
        held_out=tuple(map(point_figures, held_out, errors)),
    )


def _with_predictions(
    calibration: Calibration, held_out: Sequence[Fidelity], scheduling: str
) -> Calibration:
    """A calibration with what a live run must show, as exactly as the held-out points allow.

    And with what any number of streams and any batch size come to, for policies.
    """
    tolerance = max(LEAST_TOLERANCE, *(abs(each.errors[-1]) for each in held_out))
    low, high = calibration.valid_streams
    all_streams = sorted({round(each) for each in np.linspace(low, high, BANDS)})
    bands = predict_bands(calibration, all_streams, PLANT_BATCH_SIZES, tolerance)
    tables = tuple(tabulate(calibration, size) for size in PLANT_BATCH_SIZES)
    measured = SchedulingClass(scheduling)
    return replace(calibration, bands=bands, node_tables=tables, scheduling=measured)


def _measure(
    open_subject: OpenSubject, seconds: float, advance: Callable[[float], None]
) -> Samples:
    """The points of the plan, scaled to what one worker of this plant can do."""
    capacity = _capacity(open_subject)
    points = [(max(size, int(share * capacity)), size) for share, size in PLAN]
    with open_subject(capacity) as subject:
        return take_samples(subject, points, seconds, advance)


def _capacity(open_subject: OpenSubject) -> int:
    """About how many streams keep one worker busy all the time, by a first sample."""
    with open_subject(PROBE_STREAMS) as subject:
        point = subject.measure(PROBE_STREAMS, BATCH_SIZES[0], 1.0)
        per_stream_ms = float(np.median(point.service_ms / point.counts))
        return max(PROBE_STREAMS, int(subject.period_ms / per_stream_ms))


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
