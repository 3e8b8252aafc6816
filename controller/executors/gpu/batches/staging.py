"""A place for one batch under way: pinned memory, its twin on the device, its graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.batches.layout import BatchLayout
from controller.executors.gpu.devices.device import Device, Graph, Stream
from controller.executors.gpu.workloads.batched_workload import BatchBuffers, BatchedWorkload
from controller.executors.gpu.workloads.workspace import Workspace
from controller.workloads.cuda.layout import UNUSED

FillRows = Callable[[int, int, NDArray[np.float32]], object]
"""Writes the sound of rows `first` to `last` of a batch into (last - first, frames)."""


class Staging:
    """Holds batches of any of these sizes, one at a time; a graph for each is captured at once."""

    def __init__(
        self,
        number: int,
        device: Device,
        space: Workspace,
        workload: BatchedWorkload,
        sizes: tuple[int, ...],
        period_frames: int,
    ) -> None:
        self._device = device
        self._layouts = {size: BatchLayout(size, period_frames) for size in sizes}
        largest = self._layouts[max(sizes)]
        self._bus_bytes = 2 * largest.row_bytes
        self._input = space.reserve(f"batch {number}", largest.size_bytes)
        self._output = space.reserve(f"bus {number}", self._bus_bytes)
        self._pinned = device.pinned(largest.size_bytes)
        self._pinned_bus = device.pinned(self._bus_bytes)
        self._clear(device.stream(), largest.size_bytes)
        steps = {
            size: workload.steps(device, space, self._buffers(size))
            for size in sorted(sizes, reverse=True)
        }
        self._graphs = {size: device.capture(each) for size, each in steps.items()}
        self._steps = {size: len(each) for size, each in steps.items()}

    def graph(self, rows: int) -> Graph:
        """The graph of batches of so many rows."""
        return self._graphs[rows]

    def steps(self, rows: int) -> int:
        """Kernels and transforms that a replay of that graph launches."""
        return self._steps[rows]

    def fill(
        self,
        rows: int,
        step: int,
        states: NDArray[np.int64],
        responses: NDArray[np.int64],
        fill_rows: FillRows,
        piece_bytes: int,
        stream: Stream,
    ) -> int:
        """Write a batch, and have each piece copied as soon as it is there; the bytes copied.

        `states` and `responses`: (n,), n at most `rows`. The sound of rows beyond n stays what it
        was: nothing reads it.
        """
        layout, used = self._layouts[rows], len(states)
        self._part(0, 1, np.int64)[0] = step
        for offset, table in ((layout.states, states), (layout.responses, responses)):
            part = self._part(offset, rows, np.int64)
            part[:used], part[used:] = table, UNUSED
        sound = self._part(layout.sound, rows * layout.period_frames, np.float32)
        sound = sound.reshape(rows, layout.period_frames)
        end = layout.sound + used * layout.row_bytes
        there = 0
        for first, last in pieces(end, piece_bytes, layout.sound):
            wanted = min(used, layout.rows_within(last))
            if wanted > there:
                fill_rows(there, wanted, sound[there:wanted])
                there = wanted
            stream.copy_in(self._input + first, self._pinned[first:last])
        return end

    def fetch(self, stream: Stream, period_frames: int) -> NDArray[np.float32]:
        """Have the bus copied; the array (2, frames) in which it then lies."""
        size_bytes = 2 * period_frames * np.dtype(np.float32).itemsize
        stream.copy_out(self._pinned_bus[:size_bytes], self._output)
        return self._pinned_bus[:size_bytes].view(np.float32).reshape(2, period_frames)

    def _buffers(self, size: int) -> BatchBuffers:
        layout, array = self._layouts[size], self._device.array
        return BatchBuffers(
            step=array(self._input, (1,), np.int64),
            states=array(self._input + layout.states, (size,), np.int64),
            responses=array(self._input + layout.responses, (size,), np.int64),
            sound=array(self._input + layout.sound, (size, layout.period_frames), np.float32),
            bus=array(self._output, (2, layout.period_frames), np.float32),
        )

    def _clear(self, stream: Stream, size_bytes: int) -> None:
        """No step, no streams, no sound: what graphs run on when they are captured."""
        for layout in self._layouts.values():
            self._part(layout.states, layout.rows, np.int64)[:] = UNUSED
        self._pinned[: np.dtype(np.int64).itemsize] = 0
        stream.copy_in(self._input, self._pinned[:size_bytes])
        stream.record().wait()

    def _part(self, offset: int, count: int, dtype: Any) -> NDArray[Any]:
        size_bytes = count * np.dtype(dtype).itemsize
        return self._pinned[offset : offset + size_bytes].view(dtype)


def pieces(end: int, piece_bytes: int, least: int) -> Iterator[tuple[int, int]]:
    """Parts of 0 to `end`, each of the size but the last; the first holds at least the table."""
    first = 0
    last = min(end, max(piece_bytes, least))
    while first < end:
        yield first, last
        first, last = last, min(end, last + piece_bytes)
