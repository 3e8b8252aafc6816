"""The GPU executor by name: on a CUDA device, or emulated on the host."""

from __future__ import annotations

from controller.executors.executor import ExecutorSettings
from controller.executors.gpu.devices.emulated import EmulatedDevice
from controller.executors.gpu.executor import GpuExecutor


def cuda(settings: ExecutorSettings) -> GpuExecutor:
    """The executor on the first CUDA device, which its worker opens."""
    from controller.executors.gpu.devices.cuda import CudaDevice

    return GpuExecutor("cuda", settings, CudaDevice)


def emulated(settings: ExecutorSettings) -> GpuExecutor:
    """The executor on a device that exists in numpy alone."""
    return GpuExecutor("emulated", settings, EmulatedDevice)
