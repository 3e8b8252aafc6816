"""The workloads that a device can render, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from controller.errors import ExecutorError
from controller.executors.gpu.workloads.batched_workload import BatchedWorkload
from controller.executors.gpu.workloads.filters import BatchedFilters
from controller.executors.gpu.workloads.hrtf import BatchedHrtf
from controller.executors.gpu.workloads.spectra import (
    BatchedAnalysis,
    BatchedSpectrogram,
    BatchedVisualisation,
)
from controller.workloads.workload import WorkloadSettings

BATCHED: Mapping[str, Callable[[WorkloadSettings], BatchedWorkload]] = MappingProxyType(
    {
        "fft": BatchedAnalysis,
        "filters": BatchedFilters,
        "hrtf": BatchedHrtf,
        "spectrogram": BatchedSpectrogram,
        "visualisation": BatchedVisualisation,
    }
)


def batched(name: str, settings: WorkloadSettings, executor: str) -> BatchedWorkload:
    """The workload of that name. Raises ExecutorError where no device can render it."""
    if name not in BATCHED:
        known = ", ".join(BATCHED)
        why = f"workload {name} has no kernels for a device"
        raise ExecutorError(executor, why, f"render it on the CPU, or take one of {known}")
    return BATCHED[name](settings)
