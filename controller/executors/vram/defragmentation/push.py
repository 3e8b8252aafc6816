"""The last resort: allocations pushed together where they lie, which cannot be abandoned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.executors.vram.backing import Backing
from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.space import Space

MOST_COPIES = 1024
"""Copies of one push: each costs some microseconds, however little it copies."""
Copy = tuple[int, int, int]


def push_together(space: Space, backing: Backing, window: Sequence[Extent]) -> bool:
    """Push all of a window to its low end and wait, so that what is free lies behind in one piece.

    No hole elsewhere is needed. An allocation that moves by less than its size goes in pieces of
    that distance, so that no copy overlaps itself. False where one may not move, or where that
    would take too many copies.
    """
    held = [extent for extent in window if not extent.is_free]
    copies = list(_copies(held, window[0].offset))
    if len(copies) > MOST_COPIES or not all(extent.is_movable for extent in held):
        return False
    for event in [backing.copy(*copy) for copy in copies]:
        event.wait()
    space.push_together(window)
    return True


def _copies(held: Sequence[Extent], offset: int) -> Iterator[Copy]:
    """Source, target and size of each copy, in the order in which they have to be done."""
    for extent in held:
        distance = extent.offset - offset
        for start in range(0, extent.size_bytes, distance) if distance else ():
            size = min(distance, extent.size_bytes - start)
            yield extent.offset + start, offset + start, size
        offset += extent.size_bytes
