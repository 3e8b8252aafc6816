"""Which run of extents is cleared with the least to move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice

from controller.executors.vram.space.extent import Extent
from controller.executors.vram.space.region import Region

ANCHORS = 8
"""Free extents, the largest ones, around which a window is looked for."""
WINDOWS = 4
"""Windows that are tried, the cheapest first."""


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


def cheapest_windows(region: Region, size_bytes: int) -> list[Window]:
    """A few windows of at least that size, the cheapest first."""
    anchors = islice(region.largest(), ANCHORS)
    found = (window for anchor in anchors for window in windows_around(anchor, size_bytes))
    return nsmallest(WINDOWS, found, key=lambda window: window.moved_bytes)


def windows_around(anchor: Extent, size_bytes: int) -> Iterator[Window]:
    """Every smallest window of at least that size with a free extent in it, from left to right."""
    first, span = _reached_left(anchor, size_bytes)
    last: Extent = anchor
    held = _held(first, anchor)
    while True:
        while span < size_bytes:
            if last.next is None or not _can_clear(last.next):
                return
            last = last.next
            span, held = span + last.size_bytes, held + _cost(last)
        while first is not anchor and span - first.size_bytes >= size_bytes:
            span, held, first = span - first.size_bytes, held - _cost(first), _after(first)
        yield Window(first, last, held)
        if first is anchor:
            return
        span, held, first = span - first.size_bytes, held - _cost(first), _after(first)


def _reached_left(anchor: Extent, size_bytes: int) -> tuple[Extent, int]:
    first, span = anchor, anchor.size_bytes
    while span < size_bytes and first.previous is not None and _can_clear(first.previous):
        first = first.previous
        span += first.size_bytes
    return first, span


def _held(first: Extent, last: Extent) -> int:
    return sum(_cost(extent) for extent in Window(first, last, 0))


def _can_clear(extent: Extent) -> bool:
    return extent.is_free or extent.may_move


def _cost(extent: Extent) -> int:
    return 0 if extent.is_free else extent.size_bytes


def _after(extent: Extent) -> Extent:
    assert extent.next is not None, "only the last extent of a region has none after it"
    return extent.next
