"""The executor of the built-in pipeline: the one that is named, or by the device."""

from __future__ import annotations

from collections.abc import Callable

from controller.config.config import Config, PipelineSection
from controller.errors import ExecutorError
from controller.executors.gpu.devices.availability import cuda_obstacle
from controller.executors.gpu.workloads.catalogue import BATCHED
from controller.executors.vram.config import VRAMConfig

AUTO, CPU, CUDA = "auto", "cpu", "cuda"


def chosen_executor(pipeline: PipelineSection, warn: Callable[[str], None]) -> str:
    """The executor's name; `warn` is told once where the CPU plays though a GPU seems to be there.

    Raises ExecutorError where `device = "cuda"` cannot be had.
    """
    if pipeline.executor != AUTO:
        return pipeline.executor
    if pipeline.device not in (AUTO, CUDA):
        return pipeline.device
    obstacle = cuda_obstacle()
    if obstacle is None and pipeline.device == AUTO and pipeline.workload not in BATCHED:
        warn(f"the CPU plays: workload {pipeline.workload} has no kernels for the GPU")
        return CPU
    if obstacle is None:
        return CUDA
    if pipeline.device == CUDA:
        raise ExecutorError(CUDA, obstacle.why, obstacle.remedy)
    if not obstacle.no_gpu:
        warn(f"the CPU plays: {obstacle.why}; {obstacle.remedy}")
    return CPU


def vram_config(config: Config) -> VRAMConfig:
    """How much of a device's memory may be taken, and who yields when it is short."""
    given = config.vram
    total_bytes = given.total_mib << 20 or None
    priority = config.objective.priority
    return VRAMConfig(total_bytes, given.share_of_free, given.block_bytes, priority)
