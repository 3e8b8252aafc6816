"""The arena as one run of extents: best fit, split at the low end, coalesced when freed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.size_index import SizeIndex


class Region:
    """Extents cover all of it without a gap; no two neighbours are both free.

    All sizes are multiples of 256 bytes.
    """

    def __init__(self, size_bytes: int) -> None:
        self.free_bytes = size_bytes
        self._by_size = SizeIndex()
        self._first = Extent(0, size_bytes)
        self._by_size.add(self._first)

    def __iter__(self) -> Iterator[Extent]:
        extent: Extent | None = self._first
        while extent is not None:
            yield extent
            extent = extent.next

    def take(self, size_bytes: int) -> Extent | None:
        """The best fit, held from now on; None where no free extent is as large."""
        extent = self._by_size.smallest(size_bytes)
        if extent is None:
            return None
        self._by_size.remove(extent)
        if extent.size_bytes > size_bytes:
            self._split(extent, size_bytes)
        extent.is_free = False
        self.free_bytes -= size_bytes
        return extent

    def give(self, extent: Extent) -> None:
        """Free an extent that is held, and make one of it and its free neighbours."""
        self.free_bytes += extent.size_bytes
        extent.version += 1
        extent.is_free, extent.reservation, extent.slab = True, None, None
        before, after = extent.previous, extent.next
        if after is not None and after.is_free:
            self._by_size.remove(after)
            self._absorb(extent, after)
        if before is not None and before.is_free:
            self._by_size.remove(before)
            self._absorb(before, extent)
            extent = before
        self._by_size.add(extent)

    def reserve(self, extent: Extent, reservation: object) -> None:
        """Hold a free extent as it is, until it is given back."""
        self._by_size.remove(extent)
        extent.is_free, extent.reservation = False, reservation
        self.free_bytes -= extent.size_bytes

    def push_together(self, window: Sequence[Extent]) -> None:
        """Lay neighbours one after the other, all that is free behind them."""
        free = [extent for extent in window if extent.is_free]
        order = [extent for extent in window if not extent.is_free]
        before, after, offset = window[0].previous, window[-1].next, window[0].offset
        rest = Extent(0, sum(extent.size_bytes for extent in free))
        for extent in free:
            self._by_size.remove(extent)
        for extent in (*order, rest):
            extent.offset, extent.previous = offset, before
            offset += extent.size_bytes
            self._link(before, extent)
            before = extent
        rest.next, rest.is_free = after, False
        if after is not None:
            after.previous = rest
        self.free_bytes -= rest.size_bytes
        self.give(rest)

    def largest(self) -> Iterator[Extent]:
        """Free extents, the largest first."""
        return self._by_size.largest()

    def _link(self, before: Extent | None, extent: Extent) -> None:
        if before is None:
            self._first = extent
        else:
            before.next = extent

    def _split(self, extent: Extent, size_bytes: int) -> None:
        rest = Extent(extent.offset + size_bytes, extent.size_bytes - size_bytes)
        extent.size_bytes = size_bytes
        rest.previous, rest.next, extent.next = extent, extent.next, rest
        if rest.next is not None:
            rest.next.previous = rest
        self._by_size.add(rest)

    @staticmethod
    def _absorb(extent: Extent, after: Extent) -> None:
        extent.size_bytes += after.size_bytes
        extent.next = after.next
        if after.next is not None:
            after.next.previous = extent
