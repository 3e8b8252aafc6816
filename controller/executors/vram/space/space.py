"""All bytes of the arena: what is held, what is free, and what the device has yet to let go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.executors.vram.backing import Event
from controller.executors.vram.space.extent import Extent, Resident
from controller.executors.vram.space.region import Region
from controller.executors.vram.space.slabs import UNIT_BYTES, Slab, Slabs
from controller.executors.vram.usage import Usage


class Placed(Resident, Protocol):
    """An allocation, as far as its place goes."""

    slab: Slab | None
    slot: int
    within_bytes: int
    held_bytes: int


@dataclass(frozen=True, slots=True)
class Draining:
    """Bytes that are free once all events are done."""

    events: Sequence[Event]
    extent: Extent
    slab: Slab | None
    slot: int
    size_bytes: int

    @property
    def is_done(self) -> bool:
        """Whether the device has let go of them."""
        return all(event.is_done for event in self.events)


class Space:
    """Places allocations in slabs or in the region, and takes their bytes back.

    `released(offset, size_bytes)` is told of bytes once nobody uses them. `draining_bytes` and
    `reserved_bytes` are neither held nor free: the device may still use them, or a pass has plans.
    """

    def __init__(
        self, size_bytes: int, block_bytes: int, released: Callable[[int, int], None]
    ) -> None:
        self.region = Region(size_bytes)
        self.slabs = Slabs(self.region, block_bytes)
        self._released = released
        self.draining: deque[Draining] = deque()
        self.draining_bytes = 0
        self.reserved_bytes = 0
        self.launches = 0
        self._uses: dict[str, Event] = {}

    @property
    def free_bytes(self) -> int:
        """Bytes that an allocation could have, if they lay together: idle slots among them."""
        return self.region.free_bytes + self.slabs.idle_bytes

    def place(self, row: Placed, size_bytes: int, usage: Usage) -> bool:
        """Give an allocation its place; False where no piece is as large.

        Workspace stays for good, and would keep a whole slab from all others.
        """
        is_small = usage is not Usage.WORKSPACE and self.slabs.fits(size_bytes)
        if is_small and (found := self.slabs.take(size_bytes)) is not None:
            slab, slot = found
            row.slab, row.slot, row.extent = slab, slot, slab.extent
            row.held_bytes = slab.slot_bytes
            row.within_bytes = slot * slab.slot_bytes
        else:
            held_bytes = -(-size_bytes // UNIT_BYTES) * UNIT_BYTES
            extent = self.region.take(held_bytes)
            if extent is None:
                return False
            row.slab, row.slot, row.extent = None, 0, extent
            row.held_bytes, row.within_bytes = held_bytes, 0
        row.extent.residents.add(row)
        return True

    @property
    def is_idle(self) -> bool:
        """Whether no stream is under way that may use every allocation."""
        return all(event.is_done for event in self._uses.values())

    def used_by_all(self, stream: str, event: Event) -> None:
        """Note that a stream may use every allocation until that event."""
        self._uses[stream] = event
        self.launches += 1

    def release(self, row: Placed, uses: Iterable[Event]) -> None:
        """Take the bytes of an allocation back, once the device has let go of them."""
        extent = row.extent
        events = [event for event in (*uses, *self._uses.values()) if not event.is_done]
        extent.residents.remove(row)
        extent.version += 1
        if events:
            self.drain(Draining(events, extent, row.slab, row.slot, row.held_bytes))
        else:
            self._free(extent, row.slab, row.slot, row.held_bytes)

    def drain(self, draining: Draining) -> None:
        """Free bytes when the device has let go of them."""
        draining.extent.draining += 1
        self.draining_bytes += draining.size_bytes
        self.draining.append(draining)

    def settle(self) -> bool:
        """Free what the device has let go of, the oldest first up to one that is not done."""
        found = False
        while self.draining and self.draining[0].is_done:
            self._end(self.draining.popleft())
            found = True
        return found

    def settle_all(self) -> bool:
        """Free all that the device has let go of."""
        done = [each for each in self.draining if each.is_done]
        self.draining = deque(each for each in self.draining if not each.is_done)
        for each in done:
            self._end(each)
        return bool(done)

    def wait(self) -> bool:
        """Wait for the device to let go of the oldest; False where nothing drains."""
        if not self.draining:
            return False
        for event in self.draining[0].events:
            event.wait()
        self._end(self.draining.popleft())
        return True

    def give(self, extent: Extent) -> None:
        """Free an extent whose allocations have all moved away."""
        self._free(extent, None, 0, extent.size_bytes)

    def push_together(self, window: Sequence[Extent]) -> None:
        """Note that the allocations of a window were pushed to its low end."""
        end = window[-1].offset + window[-1].size_bytes
        free_bytes = sum(extent.size_bytes for extent in window if extent.is_free)
        self.region.push_together(window)
        self._released(end - free_bytes, free_bytes)

    def _end(self, draining: Draining) -> None:
        draining.extent.draining -= 1
        self.draining_bytes -= draining.size_bytes
        self._free(draining.extent, draining.slab, draining.slot, draining.size_bytes)

    def _free(self, extent: Extent, slab: Slab | None, slot: int, size_bytes: int) -> None:
        self._released(extent.offset + slot * size_bytes, size_bytes)
        if slab is None:
            self.region.give(extent)
        else:
            self.slabs.give(slab, slot)
