"""Which allocations may be taken away, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from controller.executors.vram.allocation import Allocation
from controller.executors.vram.usage import Usage


class Yielding:
    """Allocations that may be taken away, by usage; of one usage the oldest yields first."""

    def __init__(self) -> None:
        self._rows: dict[Usage, dict[int, Allocation]] = {usage: {} for usage in Usage}

    def add(self, row: Allocation) -> None:
        """Let it be taken away, after all of its usage."""
        self.remove(row)
        self._rows[row.handle.usage][row.id] = row

    def remove(self, row: Allocation) -> None:
        """Keep it from being taken away."""
        self._rows[row.handle.usage].pop(row.id, None)

    def first(self, usage: Usage) -> Allocation | None:
        """The one of a usage that yields first; pinned ones stay."""
        return next(self._unpinned(usage), None)

    def size_bytes(self, usages: tuple[Usage, ...]) -> int:
        """Bytes that all of these usages could yield."""
        return sum(row.held_bytes for usage in usages for row in self._unpinned(usage))

    def _unpinned(self, usage: Usage) -> Iterator[Allocation]:
        return (row for row in self._rows[usage].values() if not row.pins)
