"""The GPU executor by name: on a CUDA device, or emulated on the host."""

from __future__ import annotations

from controller.executors.executor import ExecutorSettings
from controller.executors.gpu.emulated import EmulatedDevice
from controller.executors.gpu.executor import GpuExecutor


def emulated(settings: ExecutorSettings) -> GpuExecutor:
    """The executor on a device that exists in numpy alone."""
    return GpuExecutor("emulated", settings, EmulatedDevice)
