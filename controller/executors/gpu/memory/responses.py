"""Responses that streams are rendered with: one copy in the arena for all that share it."""

from __future__ import annotations

from functools import partial

from controller.executors.gpu.workloads.batched_workload import BatchedWorkload
from controller.executors.vram.backing import Backing
from controller.executors.vram.cache import DeviceCache
from controller.executors.vram.handle import Handle
from controller.executors.vram.manager import VRAMManager
from controller.workloads.cuda.layout import UNUSED


class Responses:
    """Responses by number; what no stream uses stays until its room is needed."""

    def __init__(self, workload: BatchedWorkload, manager: VRAMManager, backing: Backing) -> None:
        self._workload = workload
        self._manager = manager
        self._backing = backing
        self._handles: dict[int, Handle] = {}
        self.cache = DeviceCache(manager)

    def take(self, number: int | None) -> int:
        """The offset of a response for one more stream; -1 where none is needed.

        Raises DeviceMemoryError where there is no room for it.
        """
        if number is None:
            return UNUSED
        size_bytes, owner = self._workload.response_bytes, f"response {number}"
        fill = partial(self._write, number)
        self._handles[number] = self.cache.hold(number, size_bytes, owner, fill)
        return self.offset(number)

    def give_back(self, number: int | None) -> None:
        """One stream less uses it."""
        if number is not None:
            self.cache.release(number)

    def offset(self, number: int | None) -> int:
        """Where a response lies now; -1 where none is needed."""
        return UNUSED if number is None else self._manager.offset(self._handles[number])

    def _write(self, number: int, offset: int) -> None:
        self._backing.write(offset, self._workload.response(number))
