"""Batches through a device: in, computed, out, each on a stream of its own to overlap."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.batches.layout import bucket
from controller.executors.gpu.batches.staging import FillRows, Staging
from controller.executors.gpu.devices.device import Device, Event
from controller.executors.gpu.memory.beginning import Beginning
from controller.executors.gpu.memory.responses import Responses
from controller.executors.gpu.memory.stream_memory import StreamMemory
from controller.executors.gpu.workloads.batched_workload import BatchedWorkload
from controller.executors.gpu.workloads.workspace import Workspace
from controller.executors.vram.backing import Backing
from controller.executors.vram.manager import VRAMManager

UNDER_WAY = 2
"""Batches on the device at once: one is computed while the next is copied."""
SMALLEST_BATCH = 8
"""Rows of the smallest graph: fewer streams leave the others unused."""
COMPUTE = "compute"
"""Name of the stream by which states are used."""


@dataclass(frozen=True, slots=True, eq=False)
class Submitted:
    """A batch under way, and the events between its stages."""

    staging: Staging
    bus: NDArray[np.float32]
    begun: Event
    fetched: Event
    computed: Event
    finished: Event


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A finished batch: its sound, (2, frames) float32, and milliseconds of each stage.

    `bus` is overwritten by the second batch after it. `compute_ms` counts from the end of the copy
    in, and so includes the wait for the batch before.
    """

    bus: NDArray[np.float32]
    transfer_in_ms: float
    compute_ms: float
    transfer_out_ms: float


class GpuPipeline:
    """Renders streams of one workload on a device, everything planned and captured beforehand.

    Streams come by `begin` and go by `end`; of a batch only the table of its rows is new, so that
    nothing is captured again. Raises DeviceMemoryError where what all batches need has no room.
    """

    def __init__(
        self,
        device: Device,
        backing: Backing,
        manager: VRAMManager,
        workload: BatchedWorkload,
        slots: int,
        period_frames: int,
        largest_batch: int,
    ) -> None:
        self._period_frames = period_frames
        self._manager = manager
        space = Workspace(device, manager, backing)
        sizes = tuple(1 << k for k in range(3, bucket(largest_batch).bit_length()))
        given = device, space, workload, sizes, period_frames
        self._free = deque(Staging(number, *given) for number in range(UNDER_WAY))
        self._beginning = Beginning(workload, device, space)
        responses = Responses(workload, manager, backing)
        bandwidth = device.description.bandwidth_bytes_per_s
        self.memory = StreamMemory(workload, manager, responses, slots, bandwidth)
        self._in, self._compute, self._out = device.stream(), device.stream(), device.stream()
        self._step = 0
        self.copied_in_bytes = self.copied_out_bytes = self.replays = self.launches = 0

    def begin(self, slots: NDArray[np.intp]) -> None:
        """Give these streams a state that knows no past, as far as there is room."""
        there = self.memory.place(slots)
        self._beginning.write(there, self.memory.offsets, self._compute)

    def end(self, slots: NDArray[np.intp]) -> None:
        """Let go of the states of these streams."""
        self.memory.remove(slots)

    @property
    def has_room(self) -> bool:
        """Whether another batch can be submitted before one is collected."""
        return bool(self._free)

    def submit(self, step: int, slots: NDArray[np.intp], fill_rows: FillRows) -> Submitted:
        """Have a batch rendered; `step` counts blocks, alike for all streams.

        Its sound is asked for piece by piece, and each is copied while the next is made.
        """
        staging = self._free.popleft()
        rows = bucket(len(slots), SMALLEST_BATCH)
        begun = self._in.record()
        self.copied_in_bytes += staging.fill(
            rows,
            step,
            self.memory.offsets[slots],
            self.memory.responses[slots],
            fill_rows,
            self._manager.block_bytes,
            self._in,
        )
        fetched = self._in.record()
        self._compute.wait(fetched)
        self._compute.replay(staging.graph(rows))
        computed = self._compute.record()
        self._manager.used_by_all(COMPUTE, computed)
        self._out.wait(computed)
        bus = staging.fetch(self._out, self._period_frames)
        self.copied_out_bytes += bus.nbytes
        self.replays += 1
        self.launches += staging.steps(rows)
        return Submitted(staging, bus, begun, fetched, computed, self._out.record())

    def collect(self, batch: Submitted) -> Rendered:
        """Wait for a batch, the one submitted first; its place is free again."""
        batch.finished.wait()
        self._free.append(batch.staging)
        return Rendered(
            batch.bus,
            batch.fetched.ms_since(batch.begun),
            batch.computed.ms_since(batch.fetched),
            batch.finished.ms_since(batch.computed),
        )

    def process_audio_block(
        self, blocks: NDArray[np.float32], slots: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Render one block, (n, frames), of streams that have begun; the bus, (2, frames)."""
        batch = self.submit(self._step, slots, partial(_copy_rows, blocks))
        self._step += 1
        return self.collect(batch).bus.copy()


def _copy_rows(
    blocks: NDArray[np.float32], first: int, last: int, out: NDArray[np.float32]
) -> None:
    out[:] = blocks[first:last]
