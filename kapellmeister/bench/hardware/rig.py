"""The device under test, and a pipeline that plays on it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.errors import ExecutorError
from controller.executors.gpu.batches.gpu_pipeline import GpuPipeline, Rendered
from controller.executors.gpu.batches.staging import FillRows
from controller.executors.gpu.devices.device import Device
from controller.executors.gpu.workloads.batched_workload import BatchedWorkload
from controller.executors.vram.backing import Backing
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from controller.workloads.arrays import FloatArray

SAMPLE_RATE_HZ, FRAMES = 48_000, 256
PERIOD_S = FRAMES / SAMPLE_RATE_HZ
CUDA = "cuda"
LARGE_COPY_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Scale:
    """How large everything is: counts of streams in order, the few and the many of tables.

    `surge` is the most streams of a run in real time.
    """

    streams: tuple[int, ...]
    few: int
    taps: int
    arena_bytes: int
    surge: int

    @property
    def many(self) -> int:
        """The most streams."""
        return self.streams[-1]

    @property
    def large_copy_bytes(self) -> int:
        """Bytes of a copy on the device that no cache of it holds."""
        return min(LARGE_COPY_BYTES, self.arena_bytes // 8)


FULL = Scale((16, 64, 256, 1024, 4096), few=64, taps=2048, arena_bytes=2 << 30, surge=1024)
SMALL = Scale((16, 64), few=16, taps=512, arena_bytes=64 << 20, surge=48)
"""Scale of an emulated device, on which the same code runs at a tiny budget."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A device, opened in this process, and the scale at which it is measured."""

    kind: str
    device: Device
    scale: Scale

    @property
    def is_cuda(self) -> bool:
        """Whether there is hardware."""
        return self.kind == CUDA

    @contextmanager
    def arena(self, size_bytes: int | None = None) -> Iterator[tuple[Backing, VRAMManager]]:
        """An arena on the device, which nobody else has one on meanwhile."""
        size_bytes = size_bytes or self.scale.arena_bytes
        backing = self.device.reserve(size_bytes)
        try:
            yield backing, VRAMManager(backing, VRAMConfig(total_bytes=size_bytes))
        finally:
            self.device.close()
            gc.collect()

    @contextmanager
    def playing(self, workload: BatchedWorkload, streams: int) -> Iterator[Player]:
        """A pipeline on which so many streams play. Raises ExecutorError without room for all."""
        with self.arena() as (backing, manager):
            given = self.device, backing, manager, workload
            pipeline = GpuPipeline(*given, streams, FRAMES, streams)
            yield Player(pipeline, backing, manager, streams)


class Player:
    """Plays noise: all streams, or the first few, block after block."""

    def __init__(
        self, pipeline: GpuPipeline, backing: Backing, manager: VRAMManager, streams: int
    ) -> None:
        self.pipeline, self.backing, self.manager = pipeline, backing, manager
        self.sound = noise(streams)
        self.slots = np.arange(streams, dtype=np.intp)
        self.step = 0
        pipeline.begin(self.slots)
        if pipeline.memory.homeless:
            lacking = f"{len(pipeline.memory.homeless)} of {streams} streams find no room"
            raise ExecutorError("bench", lacking, "use a device with more memory")
        for _ in range(4):
            self.play(streams)

    def play(self, streams: int) -> Rendered:
        """One block of the first streams; their sound is copied from ordinary memory."""
        return self._play(self.slots[:streams], self._copy)

    def play_at_hand(self, streams: int) -> Rendered:
        """One block of the first streams; their sound lies in pinned memory already."""
        return self.play_slots(self.slots[:streams])

    def play_slots(self, slots: NDArray[np.intp]) -> Rendered:
        """One block of these streams; their sound lies in pinned memory already."""
        return self._play(slots, self._leave)

    def _play(self, slots: NDArray[np.intp], fill: FillRows) -> Rendered:
        batch = self.pipeline.submit(self.step, slots, fill)
        self.step += 1
        return self.pipeline.collect(batch)

    def _copy(self, first: int, last: int, out: FloatArray) -> None:
        out[:] = self.sound[first:last]

    def _leave(self, first: int, last: int, out: FloatArray) -> None:
        """Copy only what does not lie there from an earlier batch of the same size."""
        is_there = out[0, 0] == self.sound[first, 0] and out[-1, -1] == self.sound[last - 1, -1]
        if not is_there:
            self._copy(first, last, out)


def noise(streams: int, blocks: int | None = None, seed: int = 0) -> FloatArray:
    """White noise, (streams, 256), or (blocks, streams, 256), float32."""
    shape = (streams, FRAMES) if blocks is None else (blocks, streams, FRAMES)
    drawn: NDArray[np.float32] = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return np.float32(0.1) * drawn
