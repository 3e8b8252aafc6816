"""The arena as streams use it: a state each, and the responses that they share."""

from __future__ import annotations

import math
import time
from collections import deque
from functools import partial

import numpy as np
from numpy.typing import NDArray

from controller.errors import DeviceMemoryError
from controller.executors.gpu.memory.responses import Responses
from controller.executors.gpu.workloads.batched_workload import BatchedWorkload
from controller.executors.vram.account import Account
from controller.executors.vram.handle import Handle
from controller.executors.vram.manager import VRAMManager
from controller.workloads.cuda.layout import UNUSED, aligned

LATEST = 512
"""Allocations whose time is remembered."""
PASS_S = 250e-6
"""Seconds that a pass of defragmentation may take between blocks."""
UNKNOWN_BYTES_PER_S = 1e10
"""Bytes a second that are copied where a device does not tell its bandwidth."""


class StreamMemory:
    """One block of device memory a live stream.

    `offsets` and `responses`, (slots,) int64, are where its state and its response lie, -1 where
    there is none. A stream without a state is `homeless` and plays nothing here: there was no room,
    or it was taken for something more important.
    """

    def __init__(
        self,
        workload: BatchedWorkload,
        manager: VRAMManager,
        responses: Responses,
        slots: int,
        bandwidth_bytes_per_s: float | None,
    ) -> None:
        self._workload = workload
        self._manager = manager
        self._shared = responses
        self._handles: dict[int, Handle] = {}
        self._response_of = [workload.response_of(slot) for slot in range(slots)]
        self._passes = 0
        self._useless_bytes = 0
        self._waits_us: deque[float] = deque(maxlen=LATEST)
        copied_bytes_per_s = (bandwidth_bytes_per_s or UNKNOWN_BYTES_PER_S) / 2.0
        self._pass_bytes = max(aligned(workload.state_bytes), int(PASS_S * copied_bytes_per_s))
        self.offsets: NDArray[np.int64] = np.full(slots, UNUSED, np.int64)
        self.responses: NDArray[np.int64] = np.full(slots, UNUSED, np.int64)
        self.homeless: set[int] = set()

    @property
    def block_bytes(self) -> int:
        """Size of new blocks."""
        return self._manager.block_bytes

    @property
    def capacity(self) -> int:
        """Streams that there are and that there is room for, as far as can be told."""
        free_bytes = self._manager.account().free_bytes - self._useless_bytes
        each_bytes = self._manager.taken_bytes(self._workload.state_bytes)
        return len(self._handles) + int(max(0, free_bytes) / each_bytes)

    def account(self) -> Account:
        """What all bytes of the arena are used for."""
        return self._manager.account()

    def allocation_p99_us(self) -> float:
        """The 99 % quantile of the latest allocations, microseconds; not a number before any."""
        return float(np.percentile(self._waits_us, 99)) if self._waits_us else math.nan

    @property
    def cache_lookups(self) -> int:
        """Responses that were asked for."""
        return self._shared.cache.hits + self._shared.cache.misses

    @property
    def cache_hits(self) -> int:
        """Responses that were there when they were asked for."""
        return self._shared.cache.hits

    def place(self, slots: NDArray[np.intp]) -> NDArray[np.intp]:
        """Find room for these streams; those that have found it."""
        for slot in slots.tolist():
            try:
                self._place(slot)
            except DeviceMemoryError:
                self._remove(slot)
                self.homeless.add(slot)
                self._useless_bytes = self._manager.account().free_bytes
        self._follow_moves()
        found: NDArray[np.intp] = slots[self.offsets[slots] != UNUSED]
        return found

    def remove(self, slots: NDArray[np.intp]) -> None:
        """Give the room of these streams back."""
        for slot in slots.tolist():
            self._remove(slot)
            self.homeless.discard(slot)

    def turn(self, slot: int, response: int) -> None:
        """Render a stream with another response from its next block on.

        Raises DeviceMemoryError where there is no room for that, and all stays as it was.
        """
        before, self._response_of[slot] = self._response_of[slot], response
        if slot not in self._handles:
            return
        try:
            self.responses[slot] = self._shared.take(response)
        except DeviceMemoryError:
            self._response_of[slot] = before
            raise
        self._shared.give_back(before)
        self._follow_moves()

    def resize_blocks(self, block_bytes: int) -> None:
        """Make blocks of that size from now on; those that there are serve until they are free."""
        if block_bytes != self._manager.block_bytes:
            self._manager.resize_blocks(block_bytes)
            self._useless_bytes = 0

    def make_order(self, *, always: bool = False) -> None:
        """Move a few states together where some stream has found no room, or `always`."""
        if not self.homeless and not always:
            return
        moves = self._manager.defragment(self._pass_bytes)
        if moves.commit():
            self._useless_bytes = 0
        self._follow_moves()

    def _place(self, slot: int) -> None:
        yielded = partial(self._yielded, slot)
        usage, size_bytes = self._workload.usage, self._workload.state_bytes
        began_s = time.perf_counter()
        handle = self._manager.allocate(size_bytes, usage, f"stream {slot}", yielded)
        self._waits_us.append(1e6 * (time.perf_counter() - began_s))
        self._handles[slot] = handle
        self.responses[slot] = self._shared.take(self._response_of[slot])
        self.offsets[slot] = self._manager.offset(handle)
        self.homeless.discard(slot)

    def _remove(self, slot: int) -> None:
        handle = self._handles.pop(slot, None)
        if handle is not None:
            self._manager.free(handle)
            self._forget(slot)

    def _yielded(self, slot: int, handle: Handle) -> None:
        """Something more important has taken the room of this stream."""
        del handle
        del self._handles[slot]
        self.homeless.add(slot)
        self._forget(slot)

    def _forget(self, slot: int) -> None:
        if self.responses[slot] != UNUSED:
            self._shared.give_back(self._response_of[slot])
        self.offsets[slot] = self.responses[slot] = UNUSED

    def _follow_moves(self) -> None:
        """Know where everything lies that was moved, be it in a pass or to make room."""
        if self._manager.passes == self._passes:
            return
        self._passes = self._manager.passes
        for slot, handle in self._handles.items():
            self.offsets[slot] = self._manager.offset(handle)
            self.responses[slot] = self._shared.offset(self._response_of[slot])
