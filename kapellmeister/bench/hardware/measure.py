"""The whole of `bench hardware`: experiments in order, within a budget, reported row by row."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from controller.errors import ExecutorError
from controller.executors.gpu.devices.availability import obstacle_in
from controller.executors.gpu.devices.emulated import EmulatedDevice
from controller.executors.gpu.devices.probe import CudaReport, examine_cuda
from kapellmeister.bench.hardware.experiment import Experiment
from kapellmeister.bench.hardware.figures import DeviceFigures, HardwareReport, Row
from kapellmeister.bench.hardware.plan import experiments
from kapellmeister.bench.hardware.rig import CUDA, FRAMES, FULL, SAMPLE_RATE_HZ, SMALL, Rig
from kapellmeister.machine.description import describe_machine

Keep = Callable[[HardwareReport], None]


def bench_hardware(
    kind: str, budget_s: float, keep: Keep, progress: Callable[[float], None]
) -> HardwareReport:
    """Measure a device of that kind, `cuda` or `emulated`; `keep` is given every report so far.

    Raises ExecutorError where CUDA cannot be used.
    """
    begun_s = time.monotonic()
    rig, found = opened(kind)
    report = _empty(rig, found, budget_s)
    planned = experiments(rig.scale)
    for number, experiment in enumerate(planned):
        left_s = budget_s - (time.monotonic() - begun_s)
        for row in experiment.run(rig, share_s(planned[number:], rig, left_s)):
            report = _with(report, row, time.monotonic() - begun_s)
            keep(report)
        progress(min(1.0, report.took_s / budget_s))
    report = report.model_copy(update={"is_complete": True})
    keep(report)
    return report


def share_s(planned: Sequence[Experiment], rig: Rig, left_s: float) -> float:
    """Seconds for the first of these, by weight among those that can be begun in time at all."""
    first, weight = planned[0].weight, sum(each.weight for each in planned)
    others = [
        each.weight for each in planned[1:] if not each.obstacle(rig, left_s * each.weight / weight)
    ]
    return left_s * first / (first + sum(others))


def opened(kind: str) -> tuple[Rig, CudaReport]:
    """The device of that kind, and what CUDA tells of itself."""
    if kind != CUDA:
        return Rig(kind, EmulatedDevice(), SMALL), CudaReport()
    found = examine_cuda()
    if (obstacle := obstacle_in(found)) is not None:
        raise ExecutorError(CUDA, obstacle.why, obstacle.remedy)
    from controller.executors.gpu.devices.cuda import CudaDevice

    return Rig(kind, CudaDevice(), FULL), found


def _empty(rig: Rig, found: CudaReport, budget_s: float) -> HardwareReport:
    about = rig.device.description
    device = DeviceFigures(
        name=about.name,
        multiprocessors=about.multiprocessors,
        compute_capability=about.compute_capability,
        memory_bytes=about.memory_bytes,
        slice_of=about.slice_of,
        driver=found.driver,
        cuda=found.runtime,
        cupy=found.cupy,
        nvrtc=found.nvrtc,
    )
    return HardwareReport(
        machine=describe_machine(),
        device=device,
        sample_rate_hz=SAMPLE_RATE_HZ,
        period_frames=FRAMES,
        taps=rig.scale.taps,
        budget_s=budget_s,
        took_s=0.0,
        is_complete=False,
        rows=(),
    )


def _with(report: HardwareReport, row: Row, took_s: float) -> HardwareReport:
    return report.model_copy(update={"rows": (*report.rows, row), "took_s": took_s})
