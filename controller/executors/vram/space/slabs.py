"""Small allocations in slabs: extents of one size, cut into equal slots."""

from __future__ import annotations

from heapq import heappop, heappush

from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.region import Region

UNIT_BYTES = 256
"""Bytes that sizes of slots are multiples of."""
FEWEST_SLOTS = 4
"""Slots of a slab at the least: with fewer, up to half of a slot could be lost."""


class Slab:
    """An extent cut into slots, of which the first `begun` were ever given away.

    `spare` holds those of them that were given back. `is_open` says whether the slab stands among
    those that new allocations come to.
    """

    __slots__ = ("begun", "epoch", "extent", "is_open", "slot_bytes", "slots", "spare")

    def __init__(self, extent: Extent, slots: int, slot_bytes: int, epoch: int) -> None:
        self.extent = extent
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.epoch = epoch
        self.begun = 0
        self.spare: list[int] = []
        self.is_open = False

    def take(self) -> int:
        """A slot that nobody has, of a slab that is not full."""
        if self.spare:
            return self.spare.pop()
        self.begun += 1
        return self.begun - 1

    @property
    def is_full(self) -> bool:
        """Whether every slot is held."""
        return self.begun == self.slots and not self.spare


class Slabs:
    """Slabs of `block_bytes` by their number of slots; the slab lowest in address is filled first.

    `idle_bytes` are slots that nobody has, `tail_bytes` what is left over at the ends of slabs,
    `hits` the slots that were found without a new slab.
    """

    def __init__(self, region: Region, block_bytes: int) -> None:
        self._region = region
        self._epoch = self._serial = 0
        self.idle_bytes = self.tail_bytes = self.hits = 0
        self.resize(block_bytes)

    def resize(self, block_bytes: int) -> None:
        """Make slabs of that size from now on; those of before take nothing new, and drain."""
        self._epoch += 1
        self.block_bytes = block_bytes
        self._units = block_bytes // UNIT_BYTES
        self._open: dict[int, list[tuple[int, int, Slab]]] = {}

    def fits(self, size_bytes: int) -> bool:
        """Whether an allocation is small enough for a slab."""
        return size_bytes * FEWEST_SLOTS <= self.block_bytes

    def taken_bytes(self, size_bytes: int) -> float:
        """Bytes that one of many allocations of this size takes: its part of a slab, or its own."""
        units = -(-size_bytes // UNIT_BYTES)
        if not self.fits(size_bytes):
            return float(units * UNIT_BYTES)
        return self.block_bytes / (self._units // units)

    def take(self, size_bytes: int) -> tuple[Slab, int] | None:
        """A slot and its slab; None where there is none, and no room for another slab."""
        slots = self._units // -(-size_bytes // UNIT_BYTES)
        slab = self._lowest(slots)
        if slab is None:
            slab = self._make(slots)
            if slab is None:
                return None
        else:
            self.hits += 1
        slot = slab.take()
        slab.extent.version += 1
        self.idle_bytes -= slab.slot_bytes
        if slab.is_full:
            slab.is_open = False
        return slab, slot

    def give(self, slab: Slab, slot: int) -> None:
        """Take a slot back; a slab of which all are spare goes back to the region."""
        slab.spare.append(slot)
        self.idle_bytes += slab.slot_bytes
        if len(slab.spare) == slab.begun:
            self._end(slab)
        elif not slab.is_open and slab.epoch == self._epoch:
            self._stand_open(slab)

    def _lowest(self, slots: int) -> Slab | None:
        waiting = self._open.get(slots)
        while waiting:
            slab = waiting[0][2]
            if slab.is_open:
                return slab
            heappop(waiting)
        return None

    def _make(self, slots: int) -> Slab | None:
        extent = self._region.take(self.block_bytes)
        if extent is None:
            return None
        slot_bytes = self._units // slots * UNIT_BYTES
        slab = extent.slab = Slab(extent, slots, slot_bytes, self._epoch)
        self.idle_bytes += slots * slot_bytes
        self.tail_bytes += self.block_bytes - slots * slot_bytes
        self._stand_open(slab)
        return slab

    def _stand_open(self, slab: Slab) -> None:
        self._serial += 1
        slab.is_open = True
        entry = (slab.extent.offset, self._serial, slab)
        heappush(self._open.setdefault(slab.slots, []), entry)

    def _end(self, slab: Slab) -> None:
        slab.is_open = False
        held_bytes = slab.slots * slab.slot_bytes
        self.idle_bytes -= held_bytes
        self.tail_bytes -= slab.extent.size_bytes - held_bytes
        self._region.give(slab.extent)
