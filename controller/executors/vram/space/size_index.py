"""Free extents by size: the smallest that fits, found in bins of an eighth of a doubling."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from controller.executors.vram.space.extent import Extent

UNIT_BITS = 8
"""Bits of a size that are always zero, since sizes are multiples of 256 bytes."""
BINS = 8 * 64


class SizeIndex:
    """Bins of (size, offset, extent) in order, and a mask of those that are not empty."""

    def __init__(self) -> None:
        self._bins: list[list[tuple[int, int, Extent]]] = [[] for _ in range(BINS)]
        self._mask = 0

    def add(self, extent: Extent) -> None:
        """Take a free extent in."""
        number = bin_of(extent.size_bytes)
        insort(self._bins[number], (extent.size_bytes, extent.offset, extent))
        self._mask |= 1 << number

    def remove(self, extent: Extent) -> None:
        """Take out one that is in."""
        number = bin_of(extent.size_bytes)
        found = self._bins[number]
        del found[bisect_left(found, (extent.size_bytes, extent.offset))]
        if not found:
            self._mask ^= 1 << number

    def smallest(self, size_bytes: int) -> Extent | None:
        """The smallest of at least that size, the lowest of equals; None where there is none."""
        number = bin_of(size_bytes)
        found = self._bins[number]
        if found and found[-1][0] >= size_bytes:
            return found[bisect_left(found, (size_bytes,))][2]
        larger = self._mask >> (number + 1)
        if not larger:
            return None
        return self._bins[number + (larger & -larger).bit_length()][0][2]

    def largest(self) -> Iterator[Extent]:
        """All, the largest first."""
        mask = self._mask
        while mask:
            number = mask.bit_length() - 1
            mask ^= 1 << number
            for _, _, extent in reversed(self._bins[number]):
                yield extent


def bin_of(size_bytes: int) -> int:
    """The bin of a size: eight for each doubling, and exact up to sixteen units."""
    units = size_bytes >> UNIT_BITS
    shift = units.bit_length() - 4
    return units if shift <= 0 else (shift << 3) + (units >> shift)
