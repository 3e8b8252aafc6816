"""One batch by hand: pinned or not, step by step or as a graph, to see what each is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.batches.layout import BatchLayout, bucket
from controller.executors.gpu.devices.cuda import CudaStream
from controller.executors.gpu.devices.device import Device, Graph, Step, Stream
from controller.executors.gpu.memory.beginning import Beginning
from controller.executors.gpu.memory.responses import Responses
from controller.executors.gpu.memory.stream_memory import StreamMemory
from controller.executors.gpu.workloads.batched_workload import BatchBuffers, BatchedWorkload
from controller.executors.gpu.workloads.workspace import Workspace
from controller.executors.vram.backing import Backing
from controller.executors.vram.manager import VRAMManager
from controller.workloads.cuda.layout import UNUSED
from kapellmeister.bench.hardware.rig import FRAMES, noise


class BareBatch:
    """All streams of a workload in one batch on one stream; its buffers lie in the arena.

    `steps` are what a block needs, in order, and `graph` the same, captured.
    """

    def __init__(
        self,
        device: Device,
        backing: Backing,
        manager: VRAMManager,
        workload: BatchedWorkload,
        streams: int,
    ) -> None:
        nobody = np.full(streams, UNUSED, np.int64)
        self._layout = layout = BatchLayout(bucket(streams), FRAMES)
        space = Workspace(device, manager, backing)
        self._input = space.reserve("batch", layout.size_bytes)
        self._output = space.reserve("bus", 2 * layout.row_bytes)
        self.stream = device.stream()
        memory = _begun(device, backing, manager, workload, space, streams, self.stream)
        self._sources = {True: device.pinned(layout.size_bytes)}
        self._sources[False] = np.zeros(layout.size_bytes, np.uint8)
        self._targets = {True: device.pinned(2 * layout.row_bytes)}
        self._targets[False] = np.zeros(2 * layout.row_bytes, np.uint8)
        _write(self._sources[True], layout, nobody, nobody)
        self._copy_in(self._sources[True])
        self.steps: Sequence[Step] = workload.steps(device, space, self._buffers(device))
        self.graph: Graph = device.capture(self.steps)
        for source in self._sources.values():
            _write(source, layout, memory.offsets, memory.responses)
        self._step = 0

    def play(self, *, is_pinned: bool, is_graph: bool) -> NDArray[np.float32]:
        """One block: copied in, computed, copied out; the bus, (2, frames)."""
        source, target = self._sources[is_pinned], self._targets[is_pinned]
        source[:8].view(np.int64)[0] = self._step
        self._step += 1
        self.stream.copy_in(self._input, source)
        if is_graph:
            self.stream.replay(self.graph)
        else:
            launch_all(self.stream, self.steps)
        self.stream.copy_out(target, self._output)
        self.stream.record().wait()
        return target.view(np.float32).reshape(2, FRAMES)

    def _copy_in(self, source: NDArray[np.uint8]) -> None:
        self.stream.copy_in(self._input, source)
        self.stream.record().wait()

    def _buffers(self, device: Device) -> BatchBuffers:
        layout, at, rows = self._layout, self._input, self._layout.rows
        return BatchBuffers(
            step=device.array(at, (1,), np.int64),
            states=device.array(at + layout.states, (rows,), np.int64),
            responses=device.array(at + layout.responses, (rows,), np.int64),
            sound=device.array(at + layout.sound, (rows, FRAMES), np.float32),
            bus=device.array(self._output, (2, FRAMES), np.float32),
        )


def launch_all(stream: Stream, steps: Sequence[Step]) -> None:
    """Launch steps one by one behind all that a stream has been told."""
    if isinstance(stream, CudaStream):
        with stream.stream:
            for step in steps:
                step()
        return
    stream.record().wait()
    for step in steps:
        step()


def _begun(
    device: Device,
    backing: Backing,
    manager: VRAMManager,
    workload: BatchedWorkload,
    space: Workspace,
    streams: int,
    stream: Stream,
) -> StreamMemory:
    """The states of all streams, which know no past."""
    responses = Responses(workload, manager, backing)
    memory = StreamMemory(workload, manager, responses, streams, None)
    slots = memory.place(np.arange(streams, dtype=np.intp))
    Beginning(workload, device, space).write(slots, memory.offsets, stream)
    return memory


def _write(
    source: NDArray[np.uint8],
    layout: BatchLayout,
    states: NDArray[np.int64],
    responses: NDArray[np.int64],
) -> None:
    """Table and sound of a batch; rows beyond the streams are not used."""
    source[:] = 0
    for offset, table in ((layout.states, states), (layout.responses, responses)):
        part = source[offset : offset + 8 * layout.rows].view(np.int64)
        part[: len(table)], part[len(table) :] = table, UNUSED
    sound = source[layout.sound :].view(np.float32).reshape(layout.rows, FRAMES)
    sound[: len(states)] = noise(len(states))
