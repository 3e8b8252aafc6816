"""A GPU pipeline on a device, emulated unless another is given, and the CPU's workload beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller import plugins
from controller.executors.executor import ExecutorSettings
from controller.executors.gpu.batches.gpu_pipeline import GpuPipeline
from controller.executors.gpu.devices.device import Device
from controller.executors.gpu.devices.emulated import EmulatedDevice
from controller.executors.gpu.opening import open_pipeline
from controller.executors.gpu.workloads.catalogue import batched
from controller.executors.trial import Noise
from controller.executors.vram.config import VRAMConfig
from controller.workloads.backends import numpy_backend
from controller.workloads.workload import Workload, WorkloadSettings

FRAMES = 256
MIB = 1 << 20


@dataclass
class GpuRig:
    pipeline: GpuPipeline
    reference: Workload
    block: int = 0

    def play(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next block of these streams, from the device and from the CPU."""
        sound = np.zeros((len(slots), FRAMES), np.float32)
        Noise().gather(self.block, slots, sound)
        self.block += 1
        on_device = self.pipeline.process_audio_block(sound, slots)
        return on_device, self.reference.process(sound.copy(), slots)

    def worst(self, slots: np.ndarray, blocks: int) -> float:
        """The largest error in norm of so many blocks, against the CPU's."""
        pairs = [self.play(slots) for _ in range(blocks)]
        return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)


def gpu_rig(
    workload: str, slots: int = 40, total_mib: int = 48, device: Device | None = None
) -> GpuRig:
    settings = WorkloadSettings(48_000, FRAMES, slots, taps=600)
    vram = VRAMConfig(total_bytes=total_mib * MIB)
    given = ExecutorSettings(workload, settings, Noise(), vram=vram)
    made = batched(workload, settings, "emulated")
    pipeline = open_pipeline(device or EmulatedDevice(), made, given, min(slots, 64), 1 << 17)
    reference = plugins.find("workloads", workload)(settings, numpy_backend())
    return GpuRig(pipeline, reference)
