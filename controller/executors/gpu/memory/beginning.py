"""Streams that begin: their states are written on the device, many by one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.executors.gpu.devices.device import Device, Stream
from controller.executors.gpu.workloads.batched_workload import BatchedWorkload
from controller.executors.gpu.workloads.workspace import Workspace
from controller.workloads.cuda import kernels
from controller.workloads.cuda.layout import UNUSED, aligned

AT_ONCE = 256
"""Streams that begin by one call."""
OFFSET_BYTES = 8


class Beginning:
    """Writes the first bytes of states, and zeros behind them; one call is under way at a time."""

    def __init__(self, workload: BatchedWorkload, device: Device, space: Workspace) -> None:
        self._workload = workload
        first = workload.initial_state(0)
        self._initial_bytes = 0 if first is None else first.nbytes
        table_bytes = aligned(OFFSET_BYTES * AT_ONCE)
        size_bytes = table_bytes + AT_ONCE * self._initial_bytes
        self._offset = space.reserve("beginning states", size_bytes)
        self._pinned = device.pinned(size_bytes)
        self._rows = self._pinned[: OFFSET_BYTES * AT_ONCE].view(np.int64)
        self._states = self._pinned[table_bytes:].reshape(AT_ONCE, self._initial_bytes)
        self._rows[:] = UNUSED
        stream = device.stream()
        stream.copy_in(self._offset, self._pinned)
        stream.record().wait()
        step = device.launch(
            kernels.BEGIN_STATES,
            space.arena,
            device.array(self._offset, (AT_ONCE,), np.int64),
            device.array(self._offset + table_bytes, (AT_ONCE * self._initial_bytes,), np.uint8),
            AT_ONCE,
            workload.state_bytes,
            self._initial_bytes,
        )
        self._graph = device.capture((step,))

    def write(self, slots: NDArray[np.intp], offsets: NDArray[np.int64], stream: Stream) -> None:
        """Begin the states of these streams at these offsets, and wait until they have begun."""
        for first in range(0, len(slots), AT_ONCE):
            part = slots[first : first + AT_ONCE]
            self._rows[: len(part)] = offsets[part]
            self._rows[len(part) :] = UNUSED
            for row, slot in enumerate(part.tolist()):
                initial = self._workload.initial_state(slot)
                if initial is not None:
                    self._states[row] = initial
            stream.copy_in(self._offset, self._pinned)
            stream.replay(self._graph)
            stream.record().wait()
