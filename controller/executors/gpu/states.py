"""The states of live streams in the arena, and the responses they are rendered with."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from controller.errors import DeviceMemoryError
from controller.executors.gpu.batched_workload import BatchedWorkload
from controller.executors.gpu.layout import UNUSED
from controller.executors.vram.cache import Cache
from controller.executors.vram.handle import Handle
from controller.executors.vram.manager import VRAMManager


class StreamStates:
    """One block of device memory a live stream.

    `offsets` and `responses`, (slots,) int64, are where its state and its response lie, -1 where
    there is none. A stream for which there is no room, or whose block was taken for something more
    important, is `homeless`: it plays nothing here.
    """

    def __init__(self, workload: BatchedWorkload, manager: VRAMManager, slots: int) -> None:
        self._workload = workload
        self._manager = manager
        self._cache = Cache(manager)
        self._handles: dict[int, Handle] = {}
        self.offsets: NDArray[np.int64] = np.full(slots, UNUSED, np.int64)
        self.responses: NDArray[np.int64] = np.full(slots, UNUSED, np.int64)
        self.homeless: set[int] = set()

    def place(self, slots: NDArray[np.intp]) -> NDArray[np.intp]:
        """Find room for the states of these streams; those that have found it."""
        for slot in slots.tolist():
            try:
                self._place(slot)
                self.homeless.discard(slot)
            except DeviceMemoryError:
                self._remove(slot)
                self.homeless.add(slot)
        return slots[self.offsets[slots] != UNUSED]

    def remove(self, slots: NDArray[np.intp]) -> None:
        """Give the room of these streams back."""
        for slot in slots.tolist():
            self._remove(slot)
            self.homeless.discard(slot)
