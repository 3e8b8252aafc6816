"""Allocators that never move: best fit alone, and classes of sizes."""

from __future__ import annotations

from controller.errors import DeviceMemoryError
from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.region import Region
from controller.executors.vram.usage import Usage

CLASSES_PER_DOUBLING = 4


class BestFit:
    """The smallest piece that fits, freed neighbours made one: no slabs, no moves."""

    name = "best fit alone"

    def __init__(self, size_bytes: int) -> None:
        self.requested_bytes = self.held_bytes = 0
        self._region = Region(size_bytes)

    def allocate(self, size_bytes: int, usage: Usage, owner: str) -> tuple[Extent, int]:
        """Bytes for an owner. Raises DeviceMemoryError."""
        extent = self._region.take(self.rounded(size_bytes))
        if extent is None:
            free_bytes = self._region.free_bytes
            reason = "full" if free_bytes < size_bytes else "fragmented"
            raise DeviceMemoryError(f"{owner} ({usage})", size_bytes, reason, free_bytes, 0)
        self.requested_bytes += size_bytes
        self.held_bytes += extent.size_bytes
        return extent, size_bytes

    def free(self, handle: tuple[Extent, int]) -> None:
        """Give them back."""
        extent, size_bytes = handle
        self.requested_bytes -= size_bytes
        self.held_bytes -= extent.size_bytes
        self._region.give(extent)

    @staticmethod
    def rounded(size_bytes: int) -> int:
        """Bytes that are taken: the next multiple of 256."""
        return -(-size_bytes // 256) * 256

    @property
    def internal_fragmentation(self) -> float:
        """Share of what is held that nobody asked for."""
        return 1.0 - self.requested_bytes / self.held_bytes


class SizeClasses(BestFit):
    """Best fit of sizes rounded up to four classes a doubling, so that pieces fit again."""

    name = "size classes"

    @staticmethod
    def rounded(size_bytes: int) -> int:
        """Bytes that are taken: the next size of a class, a multiple of 256."""
        step = max(256, (1 << (size_bytes - 1).bit_length()) // (2 * CLASSES_PER_DOUBLING))
        return -(-size_bytes // step) * step
