"""`kapellmeister calibrate`: the executors of this machine in numbers, and how true they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from controller.config.config import Config
from controller.sensors.cpu import MachineSensor
from kapellmeister.calibration.executor import executor_subject
from kapellmeister.calibration.jack import jack_subject
from kapellmeister.calibration.measured import Measured
from kapellmeister.calibration.plan import fitted_sizes, make_plan, probe_size
from kapellmeister.calibration.report import (
    LATE_MS,
    CalibrationReport,
    point_figures,
    transfer_figures,
)
from kapellmeister.calibration.samples import take_samples
from kapellmeister.calibration.subject import Subject
from kapellmeister.machine.description import Machine, describe_machine
from kapellmeister.terminal.progress import Progress, unseen
from policies.knobs import SchedulingClass
from policies.latency import Calibration
from policies.observation import fresh
from simulators.calibration.calibration import (
    PERCENTILES,
    Fidelity,
    OperatingPoint,
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
MOST_STREAMS = 16_384
"""Streams that are measured at the most, however fast a worker is."""
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
        measured = _measure(open_subject, options.seconds, advance)
        samples, machine = measured.samples, describe_machine()
        source = f"{options.plant}, {options.workload}, {samples.scheduling}, {machine.processor}"
        calibration = replace(measured.fit(), source=source)
        held_out = [replay(calibration, each, _deadline_ms(each)) for each in measured.held_out]
        calibration = _with_predictions(calibration, held_out, measured)
        steal = fresh(sensor.read()["cpu.steal_share"])
        report = _report(options, calibration, measured, held_out, machine, steal)
    return Calibrated(calibration, report)


def _report(
    options: CalibrateOptions,
    calibration: Calibration,
    measured: Measured,
    held_out: Sequence[Fidelity],
    machine: Machine,
    steal: float | None,
) -> CalibrationReport:
    samples, points = measured.samples, measured.points
    preempted, late, slow = _preempted(points), _late(points), samples.slow_share
    quiet = (steal or 0.0) <= QUIET_STEAL_SHARE and slow <= QUIET_SLOW_SHARE
    quiet = quiet and preempted <= QUIET_PREEMPTED_SHARE and late <= QUIET_LATE_SHARE
    errors = map(sampling_errors, measured.held_out_parts)
    return CalibrationReport(
        machine=machine,
        plant=options.plant,
        workload=options.workload,
        scheduling=samples.scheduling,
        fixed_ms=calibration.compute.fixed_ms,
        per_stream_ms=calibration.compute.per_stream_ms,
        transfer=transfer_figures(calibration.transfer),
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
    calibration: Calibration, held_out: Sequence[Fidelity], measured: Measured
) -> Calibration:
    """A calibration with what a live run must show, as exactly as the held-out points allow.

    And with what any number of streams and any batch size come to, for policies.
    """
    tolerance = max(LEAST_TOLERANCE, *(abs(each.errors[-1]) for each in held_out))
    low, high = calibration.valid_streams
    all_streams = sorted({round(each) for each in np.linspace(low, high, BANDS)})
    sizes, scheduling = measured.batch_sizes, SchedulingClass(measured.samples.scheduling)
    bands = predict_bands(calibration, all_streams, sizes, tolerance)
    tables = tuple(tabulate(calibration, size) for size in sizes)
    return replace(calibration, bands=bands, node_tables=tables, scheduling=scheduling)


def _measure(
    open_subject: OpenSubject, seconds: float, advance: Callable[[float], None]
) -> Measured:
    """The points of the plan, scaled to what one worker of this plant can do."""
    capacity, slots = _capacity(open_subject)
    with open_subject(slots) as subject:
        plan = make_plan(capacity, subject.batch_sizes, subject.block_bytes)
        samples = take_samples(subject, plan.points, seconds, advance)
        return Measured(plan, samples, subject.batch_sizes, subject.device())


def _capacity(open_subject: OpenSubject) -> tuple[int, int]:
    """About how many streams keep one worker busy all the time, and slots for all points.

    By a second of the smaller of the batches that are fitted; which those are depends on it.
    """
    size, tried = 0, set[int]()
    while True:
        with open_subject(max(PROBE_STREAMS, size)) as subject:
            sizes = subject.batch_sizes
            size = size or probe_size(sizes)
            point = subject.measure(max(PROBE_STREAMS, size), size, 1.0)
            per_stream_ms = float(np.median(point.service_ms / point.counts))
            capacity = max(1, min(MOST_STREAMS, int(subject.period_ms / per_stream_ms)))
        tried.add(size)
        fitted = fitted_sizes(sizes, capacity)
        if fitted[0] in tried:
            return capacity, max(capacity, *fitted)
        size = fitted[0]


def _deadline_ms(point: OperatingPoint) -> float:
    """A deadline missed often enough to compare: a machine at ease misses none of a period."""
    order = np.sort(np.repeat(point.latency_ms, point.counts))
    return float(order[int(0.98 * order.size)])


def _preempted(points: Sequence[OperatingPoint]) -> float:
    """Share of the batches that took much longer than the processor time they used."""
    away_ms = np.concatenate([point.service_ms - point.batches["cpu_ns"] / 1e6 for point in points])
    return float((away_ms > PREEMPTED_MS).mean())


def _late(points: Sequence[OperatingPoint]) -> float:
    """Share of the periods that the worker slept before, and then began late."""
    return float((np.concatenate([point.lateness_ms for point in points]) > LATE_MS).mean())
