"""Which run of extents is cleared, or pushed together, with the least to move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice

from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.region import Region

ANCHORS = 8
"""Free extents, the largest ones, around which a window is looked for."""
WINDOWS = 4
"""Windows that are tried, the cheapest first."""
Gain = Callable[[Extent], int]


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring extents, free or not pinned, and the bytes that would have to move."""

    first: Extent
    last: Extent
    moved_bytes: int

    def __iter__(self) -> Iterator[Extent]:
        extent: Extent | None = self.first
        while extent is not None:
            yield extent
            extent = None if extent is self.last else extent.next


def cleared(extent: Extent) -> int:
    """Bytes won by moving an extent elsewhere: all of it."""
    return extent.size_bytes


def pushed(extent: Extent) -> int:
    """Bytes won by pushing an extent aside: those that are free."""
    return extent.size_bytes if extent.is_free else 0


def cheapest_windows(
    region: Region, size_bytes: int, budget_bytes: int, gain: Gain
) -> list[Window]:
    """A few windows that win that size and move no more than the budget, the cheapest first."""
    anchors = islice(region.largest(), ANCHORS)
    found = (
        window
        for anchor in anchors
        for window in windows_around(anchor, size_bytes, budget_bytes, gain)
        if window.moved_bytes <= budget_bytes
    )
    return nsmallest(WINDOWS, found, key=lambda window: window.moved_bytes)


def windows_around(
    anchor: Extent, size_bytes: int, budget_bytes: int, gain: Gain
) -> Iterator[Window]:
    """Every smallest window that wins that size, with a free extent in it, from left to right."""
    first, won, moved = _reached_left(anchor, size_bytes, budget_bytes, gain)
    last: Extent = anchor
    while True:
        while won < size_bytes:
            if last.next is None or not _can_move(last.next):
                return
            last = last.next
            won, moved = won + gain(last), moved + _cost(last)
        while first is not anchor and won - gain(first) >= size_bytes:
            won, moved, first = won - gain(first), moved - _cost(first), _after(first)
        yield Window(first, last, moved)
        if first is anchor:
            return
        won, moved, first = won - gain(first), moved - _cost(first), _after(first)


def _reached_left(
    anchor: Extent, size_bytes: int, budget_bytes: int, gain: Gain
) -> tuple[Extent, int, int]:
    """The leftmost extent of interest, and what is won and moved from there to the anchor."""
    first, won, moved = anchor, gain(anchor), 0
    while won < size_bytes and moved <= budget_bytes:
        if first.previous is None or not _can_move(first.previous):
            break
        first = first.previous
        won, moved = won + gain(first), moved + _cost(first)
    return first, won, moved


def _can_move(extent: Extent) -> bool:
    return extent.is_free or extent.may_move


def _cost(extent: Extent) -> int:
    return 0 if extent.is_free else extent.size_bytes


def _after(extent: Extent) -> Extent:
    assert extent.next is not None, "only the last extent of a region has none after it"
    return extent.next
