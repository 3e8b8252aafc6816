"""A device made ready to play: its arena, and all that is compiled, planned and captured."""

from __future__ import annotations

from dataclasses import replace

from controller.executors.executor import ExecutorSettings
from controller.executors.gpu.batches.gpu_pipeline import GpuPipeline
from controller.executors.gpu.devices.device import Device
from controller.executors.gpu.workloads.batched_workload import BatchedWorkload
from controller.executors.vram.manager import VRAMManager


def open_pipeline(
    device: Device,
    workload: BatchedWorkload,
    settings: ExecutorSettings,
    largest_batch: int,
    block_bytes: int,
) -> GpuPipeline:
    """The pipeline on this device, whose memory is reserved as the settings say.

    Raises ConfigurationError for memory that the device has not free, and DeviceMemoryError where
    what every batch needs does not fit.
    """
    config = replace(settings.vram, block_bytes=block_bytes)
    backing = device.reserve(config.arena_bytes(device.description.free_bytes))
    manager = VRAMManager(backing, config)
    return GpuPipeline(
        device, backing, manager, workload, settings.slots, settings.period_frames, largest_batch
    )
