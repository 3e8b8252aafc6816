"""`kapellmeister calibrate`: the executors of this machine in numbers, and how true they are."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from controller import plugins
from controller.config import Config
from controller.executors.cpu import CpuExecutor, Task
from controller.executors.timetable import Timetable
from controller.metrics.cpu import MachineSensor
from controller.plants.builtin import BATCH_SIZES as PLANT_BATCH_SIZES
from controller.sound import SoundBank, synthesise_sounds
from controller.workloads.backend import numpy_backend
from controller.workloads.workload import Workload, WorkloadSettings
from kapellmeister.bench.machine import Machine, describe_machine
from policies.latency import Calibration
from policies.observation import fresh
from simulators.calibration import (
    PERCENTILES,
    Fidelity,
    OperatingPoint,
    fit,
    predict_bands,
    replay,
)

PROBE_STREAMS = 256
BANDS = 12
LEAST_TOLERANCE = 0.1
FITTED_SHARES = (0.15, 0.3, 0.45, 0.6, 0.75)
HELD_OUT_SHARES = (0.22, 0.5, 0.7)
"""Of the streams at which a worker would compute all the time."""
BATCH_SIZES = (32, 64)
SETTLING_S = 0.5
LEAD_IN_S = 0.5
TURN_S = 0.02
QUIET_STEAL_SHARE = 0.001
QUIET_PREEMPTED_SHARE = 0.005
PREEMPTED_MS = 0.2
REALTIME_PRIORITY = 60


class PointFigures(BaseModel):
    """A held-out operating point; errors are relative, above zero where predicted too high."""

    model_config = ConfigDict(frozen=True)

    streams: int
    batch_size: int
    utilisation: float
    measured_ms: tuple[float, ...]
    predicted_ms: tuple[float, ...]
    errors: tuple[float, ...]
    deadline_ms: float
    measured_miss_rate: float
    predicted_miss_rate: float
    miss_rate_error: float | None


class CalibrationReport(BaseModel):
    """What was fitted, at which points, whether the machine was quiet, and what came of it."""

    model_config = ConfigDict(frozen=True)

    machine: Machine
    workload: str
    scheduling: str
    fixed_ms: float
    per_stream_ms: float
    valid_streams: tuple[int, int]
    steal_share: float | None
    preempted_share: float
    quiet: bool
    percentiles: tuple[float, ...]
    held_out: tuple[PointFigures, ...]


class Bench:
    """One worker of the real executor under a constant load, and the stamps that it leaves."""

    def __init__(self, config: Config, workload: str, capacity: int) -> None:
        pipeline = config.pipeline
        period_ns = 1e9 * pipeline.period_frames / pipeline.sample_rate_hz
        self.period_ms = period_ns / 1e6
        sounds = synthesise_sounds(pipeline.sample_rate_hz, 1)
        bank = SoundBank(sounds, pipeline.period_frames, capacity)
        settings = WorkloadSettings(
            pipeline.sample_rate_hz, pipeline.period_frames, capacity, pipeline.taps
        )
        made: Workload = plugins.find("workloads", workload)(settings, numpy_backend())
        _compile(made, bank, capacity, pipeline.period_frames)
        start_ns = time.monotonic_ns() + int(LEAD_IN_S * 1e9)
        self._timetable = Timetable(start_ns, period_ns, round(period_ns), round(period_ns))
        self._executor = CpuExecutor(
            made,
            bank,
            self._timetable,
            capacity=capacity,
            period_frames=pipeline.period_frames,
            batch_size=BATCH_SIZES[0],
            nodes_max=1,
        )
        self._streams = 0
        self._capacity = capacity
        self.scheduling = "normal"

    def start(self) -> None:
        """Start the worker, real-time where that is permitted."""
        gc.collect()
        gc.freeze()
        self._executor.start(1)
        while not self._executor.is_ready:
            time.sleep(TURN_S)
        for pids in self._executor.processes().values():
            for pid in pids:
                self._favour(pid)

    def stop(self) -> None:
        """End every process."""
        self._executor.stop()

    def measure(self, streams: int, batch_size: int, seconds: float) -> OperatingPoint:
        """So many streams for so long, once all of them are there."""
        while self._streams < streams:
            self._executor.schedule_task(Task("audio", "stream", slot=self._streams))
            self._streams += 1
        while self._streams > streams:
            self._streams -= 1
            self._executor.release(self._streams)
        self._executor.set_batch_size(batch_size)
        self._pass(SETTLING_S, lambda *_: None)
        first = self._timetable.capturing(time.monotonic_ns()) + 1
        batches: list[NDArray[np.void]] = []
        self._pass(seconds, batches.append)
        last = self._timetable.capturing(time.monotonic_ns()) - 4
        self._pass(0.1, batches.append)
        stamps = np.concatenate(batches)
        kept = stamps[(stamps["block"] >= first) & (stamps["block"] < last)]
        return OperatingPoint(streams, batch_size, last - first, kept)

    def _pass(self, seconds: float, take: Callable[[NDArray[np.void]], object]) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            time.sleep(TURN_S)
            self._executor.publish()
            for _, stamps, _ in self._executor.read():
                take(stamps)

    def _favour(self, pid: int) -> None:
        try:
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
            self.scheduling = "realtime"
        except PermissionError:
            self.scheduling = "normal"


@contextmanager
def bench(config: Config, workload: str, capacity: int) -> Iterator[Bench]:
    """A worker at work; whatever happens, no process is left."""
    made = Bench(config, workload, capacity)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def calibrate(
    config: Config, workload: str, seconds: float, progress: Callable[[float], None]
) -> tuple[Calibration, CalibrationReport]:
    """Measure this machine's executor, fit it, and hold it against points that were not fitted."""
    sensor = MachineSensor()
    sensor.read()
    capacity = _capacity(config, workload)
    plan = [
        *((share, size) for share in FITTED_SHARES for size in BATCH_SIZES),
        *((share, BATCH_SIZES[k % 2]) for k, share in enumerate(HELD_OUT_SHARES)),
    ]
    points = []
    with bench(config, workload, capacity) as worker:
        for number, (share, size) in enumerate(plan):
            points.append(worker.measure(max(size, int(share * capacity)), size, seconds))
            progress((number + 1) / len(plan))
        period_ms, scheduling = worker.period_ms, worker.scheduling
    fitted = len(FITTED_SHARES) * len(BATCH_SIZES)
    machine = describe_machine()
    source = f"{workload}, {scheduling}, {machine.processor}"
    calibration = fit(points[:fitted], period_ms, source)
    held_out = [replay(calibration, point, _deadline_ms(point)) for point in points[fitted:]]
    calibration = _with_bands(calibration, held_out)
    steal = fresh(sensor.read()["cpu.steal_share"])
    preempted = _preempted(points)
    report = CalibrationReport(
        machine=machine,
        workload=workload,
        scheduling=scheduling,
        fixed_ms=calibration.compute.fixed_ms,
        per_stream_ms=calibration.compute.per_stream_ms,
        valid_streams=calibration.valid_streams,
        steal_share=steal,
        preempted_share=preempted,
        quiet=(steal or 0.0) <= QUIET_STEAL_SHARE and preempted <= QUIET_PREEMPTED_SHARE,
        percentiles=PERCENTILES,
        held_out=tuple(_figures(each) for each in held_out),
    )
    return calibration, report


def print_report(report: CalibrationReport, console: Console) -> None:
    """The law, the errors with their direction, and how far to trust them."""
    console.print(
        f"{report.workload}, {report.scheduling}: a batch of n streams takes "
        f"{report.fixed_ms:.4f} ms + n x {1000 * report.per_stream_ms:.3f} us; "
        f"valid for {report.valid_streams[0]} to {report.valid_streams[1]} streams a worker"
    )
    table = Table(box=None, padding=(0, 1))
    heads = ("held out", "busy", "p50", "p95", "p99", "missed", "predicted", "error")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for point in report.held_out:
        pairs = zip(point.measured_ms, point.errors, strict=True)
        off = point.miss_rate_error
        table.add_row(
            f"{point.streams} streams, {point.batch_size} a batch",
            f"{point.utilisation:.0%}",
            *(f"{measured:.3f} ms ({error:+.1%})" for measured, error in pairs),
            f"{point.measured_miss_rate:.3%} of {point.deadline_ms:.2f} ms",
            f"{point.predicted_miss_rate:.3%}",
            "-" if off is None else f"{off:+.0%}",
        )
    console.print(table)
    steal = "unknown" if report.steal_share is None else f"{report.steal_share:.2%}"
    state = "quiet" if report.quiet else "not quiet: the figures above hold only as far as it was"
    console.print(
        f"The machine was {state} ({steal} stolen by the hypervisor, "
        f"{report.preempted_share:.2%} of the batches interrupted)."
    )


def _with_bands(calibration: Calibration, held_out: Sequence[Fidelity]) -> Calibration:
    """The same with what a live run must show, as exactly as the held-out points allow."""
    tolerance = max(LEAST_TOLERANCE, *(abs(each.errors[-1]) for each in held_out))
    low, high = calibration.valid_streams
    all_streams = sorted({round(each) for each in np.linspace(low, high, BANDS)})
    bands = predict_bands(calibration, all_streams, PLANT_BATCH_SIZES, tolerance)
    return replace(calibration, bands=bands)


def _compile(workload: Workload, bank: SoundBank, capacity: int, frames: int) -> None:
    """Run every kernel once, so that no worker compiles while it should render."""
    for count in {1, *(min(size, capacity) for size in BATCH_SIZES)}:
        slots = np.arange(count, dtype=np.intp)
        blocks = np.zeros((count, frames), np.float32)
        bank.gather(0, slots, blocks)
        workload.process(blocks, slots)
        workload.reset(slots)


def _capacity(config: Config, workload: str) -> int:
    """About how many streams keep one worker busy all the time, by a first look."""
    with bench(config, workload, PROBE_STREAMS) as worker:
        point = worker.measure(PROBE_STREAMS, BATCH_SIZES[-1], 1.0)
        per_stream_ms = float(np.median(point.service_ms / point.counts))
        return max(PROBE_STREAMS, int(worker.period_ms / per_stream_ms))


def _deadline_ms(point: OperatingPoint) -> float:
    """One that is missed often enough to compare: a machine at ease misses none of a period."""
    order = np.sort(np.repeat(point.latency_ms, point.counts))
    return float(order[int(0.98 * order.size)])


def _preempted(points: Sequence[OperatingPoint]) -> float:
    """Share of the batches that took much longer than the processor time they used."""
    away_ms = np.concatenate([point.service_ms - point.batches["cpu_ns"] / 1e6 for point in points])
    return float((away_ms > PREEMPTED_MS).mean())


def _figures(point: Fidelity) -> PointFigures:
    return PointFigures(
        streams=point.streams,
        batch_size=point.batch_size,
        utilisation=point.utilisation,
        measured_ms=point.measured_ms,
        predicted_ms=point.predicted_ms,
        errors=point.errors,
        deadline_ms=point.deadline_ms,
        measured_miss_rate=point.measured_miss_rate,
        predicted_miss_rate=point.predicted_miss_rate,
        miss_rate_error=point.miss_rate_error,
    )
